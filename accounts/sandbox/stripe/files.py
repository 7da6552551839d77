"""Files, uploaded as evidence: what they are and how large, not what is in them."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from accounts.sandbox import objects
from accounts.sandbox.stripe.call import Answer, Call, writes
from accounts.sandbox.stripe.params import Params, tree_of
from accounts.sandbox.stripe.refusals import invalid, parameter_invalid, parameter_missing
from accounts.sandbox.stripe.resources import BY_CLASS

PURPOSES = (
    "account_requirement",
    "additional_verification",
    "business_icon",
    "business_logo",
    "customer_signature",
    "dispute_evidence",
    "identity_document",
    "tax_document_user_upload",
    "terminal_reader_splashscreen",
)
EVIDENCE_BYTES_MAX = 5 * 1024 * 1024
EVIDENCE_TYPES = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


def _create(call: Call) -> Answer:
    if not call.content_type.startswith("multipart/form-data"):
        raise invalid("You must upload files as multipart/form-data.")
    texts, upload = _parts(call)
    params = Params(tree_of(texts))
    purpose = params.text("purpose", one_of=PURPOSES)
    params.ignore("file_link_data", "expand")
    params.finish()
    if purpose is None:
        raise parameter_missing("purpose")
    if upload is None:
        raise parameter_missing("file")
    filename, kind, size = upload
    if purpose == "dispute_evidence":
        if size > EVIDENCE_BYTES_MAX:
            raise parameter_invalid(
                "file", f"Evidence may have {EVIDENCE_BYTES_MAX} bytes; this file has {size}."
            )
        if kind not in EVIDENCE_TYPES.values():
            raise parameter_invalid("file", "Evidence is uploaded as PDF, JPEG or PNG.")
    file = objects.file(
        call.new_id("file"), created=call.now, purpose=purpose, size=size, filename=filename, type=kind
    )
    return call.put(file)


def _parts(call: Call) -> tuple[list[tuple[str, str]], tuple[str, str, int] | None]:
    """The texts of the form, and of its file the name, the kind and the size."""
    message = message_from_bytes(
        b"content-type: " + call.content_type.encode() + b"\r\n\r\n" + call.body, policy=policy.HTTP
    )
    texts: list[tuple[str, str]] = []
    upload: tuple[str, str, int] | None = None
    for part in message.iter_parts() if isinstance(message, EmailMessage) else ():
        name = str(part.get_param("name", "", "content-disposition"))
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        filename = part.get_filename()
        if filename is None:
            texts.append((name, content.decode("utf-8", "replace").strip()))
        else:
            upload = filename, _kind(filename, part.get_content_type()), len(content)
    return texts, upload


def _kind(filename: str, content_type: str) -> str:
    return EVIDENCE_TYPES.get(content_type, filename.rpartition(".")[2].lower())


ENDPOINTS = (writes("/v1/files", "file", BY_CLASS["file"].permissions, _create),)
