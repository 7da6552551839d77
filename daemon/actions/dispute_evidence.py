"""Answers a dispute: the draft is kept here and goes to Stripe with the approval; submitting it is once and for good.

Stripe submits all that lies there, not only what is sent: so a reviewer is shown both together, and approves the keyed
hash of what lay there. Evidence that is only staged (`submit` = false) is no safe draft either: Stripe may submit it
at the deadline by itself. So that is a decision too, and every call says whether it submits; Stripe's default is to.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from accounts.errors import Forbidden
from accounts.facts import ID_PATTERN, Address
from accounts.money import Money
from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.shapes import Dispute, File
from daemon.actions import details as given_as
from daemon.actions.reading import LIVE, done, is_ours, missing, payer_of, still, writer_of
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json
from daemon.core.drafts.evidence import FILES, problems

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "dispute_evidence"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("dispute", "evidence", "files", "submit")
ANSWERABLE: Final = ("needs_response", "warning_needs_response")
CLOCKS_DIFFER_MAX: Final = timedelta(minutes=5)  # ours may be fast: until then Stripe's own word counts
PURPOSE: Final = "dispute_evidence"
FILES_BYTES_MAX: Final = 4_500_000  # what banks take, all files of one answer together
ANY_FILE: Final = "uncategorized_file"  # where a file goes that is named without its field


def read(details: Mapping[str, Json], place: Place) -> Asked:
    """`evidence` holds texts by Stripe's field names, an empty one to take a staged text away; `files` names uploads as
    {field, file}, or as a bare id for the field that takes anything."""
    given = given_as.known(details, name, FIELDS)
    id_ = given_as.an_id(given, "dispute")
    texts, named = _texts(given.get("evidence", {}))
    files = _files(given.get("files", ()), named)
    submit = given_as.a_flag(given, "submit", True)
    if found := problems(texts):
        raise BadDetails(f"evidence: {'; '.join(found)}.")
    if not texts and not files and not submit:
        raise BadDetails("evidence, files: there is nothing to stage.")
    complete: dict[str, Json] = {
        "dispute": id_,
        "files": [{"field": field, "file": files[field]} for field in sorted(files)],
        "submit": submit,
    }
    return Asked(complete, Address("dispute", id_), personal={"evidence": texts})


def _texts(value: Json) -> tuple[dict[str, str], dict[str, str]]:
    """The texts, and the files that are named among them as Stripe itself would have it."""
    if not isinstance(value, Mapping):
        raise BadDetails("evidence: texts by the names of Stripe's fields.")
    wrong = [field for field, text in value.items() if not isinstance(text, str | None)]
    if wrong:
        raise BadDetails(f"evidence: {wrong[0][:60]!r} is no text.")
    written = {field: str(text or "") for field, text in sorted(value.items())}
    named = {field: text for field, text in written.items() if field in FILES and text}
    return {field: text for field, text in written.items() if field not in FILES}, named


def _files(value: Json, named: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(value, list | tuple):
        raise BadDetails("files: a list of uploads, each as {field, file}.")
    files = dict(named)
    for each in value:
        field, file = (each.get("field"), each.get("file")) if isinstance(each, Mapping) else (ANY_FILE, each)
        if not isinstance(field, str) or field not in FILES:
            raise BadDetails(f"files: field is one of {', '.join(sorted(FILES))}.")
        if not isinstance(file, str) or files.get(field, file) != file:
            raise BadDetails(f"files: {field} takes one file, named by its id in Stripe.")
        files[field] = file
    if wrong := [field for field, file in files.items() if ID_PATTERN.fullmatch(file) is None]:
        raise BadDetails(f"files: {wrong[0]} is named by its id in Stripe, such as file_1.")
    return files


def see(hands: Hands, asked: Asked) -> Seen:
    dispute, personal = hands.reader.with_personal(asked.target, ["evidence"], purpose=LIVE)
    if not isinstance(dispute, Dispute):
        raise BadDetails(missing("dispute", asked.target.id, dispute))
    material: dict[str, Json] = {
        "dispute": dispute.id,
        "status": dispute.status,
        "reason": dispute.reason,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "due_by": dispute.evidence_details.due_by,
        "past_due": dispute.evidence_details.past_due,
        "submission_count": dispute.evidence_details.submission_count,
        "has_evidence": dispute.evidence_details.has_evidence,
        "staged": str(dispute.evidence) if dispute.evidence is not None else None,
        "is_charge_refundable": dispute.is_charge_refundable,
        "livemode": dispute.livemode,
    }
    merged = _merged(personal.get("evidence") or {}, asked)
    objects = {"dispute": dispute, "files": _uploads(hands, merged)}
    payer = payer_of(hands.reader, dispute)
    return Seen(asked.target, material, payer, objects, personal={"merged": merged})


def _uploads(hands: Hands, merged: Mapping[str, Json]) -> dict[str, File | None]:
    """The files that would be submitted, as far as the key may read them."""
    ids = sorted({str(file) for field, file in merged.items() if field in FILES})
    try:
        return {each: still(hands.reader, File, Address("file", each)) for each in ids}
    except Forbidden:
        return {}  # Stripe publishes no permission for files: a restricted key may never be able to read them


def _merged(staged: Mapping[str, Any], asked: Asked) -> dict[str, Json]:
    """All that Stripe would submit: what lies there, with what is sent laid over it."""
    whole = {field: text for field, text in staged.items() if isinstance(text, str) and text}
    whole |= cast(Mapping[str, str], asked.personal["evidence"])
    whole |= {str(each["field"]): str(each["file"]) for each in _named_files(asked)}
    return {field: whole[field] for field in sorted(whole) if whole[field]}


def describe(asked: Asked, place: Place) -> str:
    texts = sum(1 for text in cast(Mapping[str, str], asked.personal["evidence"]).values() if text)
    files = len(_named_files(asked))
    what = f"{texts} text{'s' * (texts != 1)} and {files} file{'s' * (files != 1)}"
    if asked.details["submit"]:
        return given_as.button(f"Submit evidence for {asked.target.id} ({what}), once and for good,", place)
    return given_as.button(f"Stage evidence for {asked.target.id} ({what}) without submitting it", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    dispute: Dispute = seen.objects["dispute"]
    details = dispute.evidence_details
    disputed = f"{dispute.id} ({Money(dispute.amount, dispute.currency)})"
    if details.submission_count > 0:
        return f"Evidence for {disputed} was submitted already, and Stripe takes it once."
    if dispute.status not in ANSWERABLE:
        return f"{disputed} takes no evidence: it is {dispute.status.replace('_', ' ')}."
    if details.due_by == 0:
        return f"{disputed} takes no answer at all."
    if details.past_due or _is_past(details.due_by, now):
        return f"The time to answer {disputed} is over, and late evidence reaches no bank for sure."
    merged = cast(Mapping[str, str], seen.personal["merged"])
    if not merged and asked.details["submit"]:
        return f"There is no evidence for {disputed} to submit."
    if found := problems(merged):
        return f"With what lies at Stripe already: {'; '.join(found)}."
    return _wrong_upload(seen.objects["files"])


def _wrong_upload(files: Mapping[str, File | None]) -> str | None:
    for id_, file in files.items():
        if file is None:
            return f"There is no file {id_} on this account."
        if file.purpose != PURPOSE:
            return f"{id_} was uploaded as {file.purpose}; evidence is uploaded with the purpose {PURPOSE}."
    size = sum(file.size for file in files.values() if file is not None)
    if size > FILES_BYTES_MAX:
        return f"The files have {size:,} bytes together, and Stripe passes on {FILES_BYTES_MAX:,} at most."
    return None


def _is_past(due_by: int | None, now: datetime) -> bool:
    return due_by is not None and (now - CLOCKS_DIFFER_MAX).timestamp() > due_by


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    """The texts stay with what is personal; which of them there are is enough to know the call again."""
    return {
        "dispute": asked.target.id,
        "texts": tuple(sorted(cast(Mapping[str, str], asked.personal["evidence"]))),
        "files": asked.details["files"],
        "submit": asked.details["submit"],
        "metadata": {OUR_TAG: tag},
    }


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    tag = cast(Mapping[str, str], request["metadata"])[OUR_TAG]
    found = _sent(hands, asked, tag)
    if isinstance(found, Done):
        return found
    files = {str(each["field"]): str(each["file"]) for each in _named_files(asked)}
    texts = cast(Mapping[str, str], asked.personal["evidence"])
    evidence = dict(sorted({**texts, **files}.items()))
    params: dict[str, Any] = {"submit": request["submit"], "metadata": {OUR_TAG: tag}}
    if evidence:
        params["evidence"] = evidence
    return done(
        writer_of(hands).dispute_update(asked.target.id, cast("p.DisputeUpdateParams", params), key=key)
    )


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    return _sent(hands, asked, sent.tag)


def _sent(hands: Hands, asked: Asked, tag: str) -> Done | Trace:
    """Whether it was us: the tag goes with the evidence. What was submitted without it was not."""
    dispute = still(hands.reader, Dispute, asked.target)
    if dispute is None:
        return Trace.UNSURE
    submitted = dispute.evidence_details.submission_count > 0
    if is_ours(dispute, tag) and (submitted or not asked.details["submit"]):
        return Done(dispute.id, dispute.status, replayed=True)
    return Trace.ABSENT


def _named_files(asked: Asked) -> list[Mapping[str, Json]]:
    return cast(list[Mapping[str, Json]], asked.details["files"])
