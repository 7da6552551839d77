"""Reads an HTTP body without trusting its size: compressed or not, never more than allowed is held."""

import time
import zlib
from collections.abc import Callable

import httpx

from accounts.errors import Malformed, Unreachable

BODY_BYTES_MAX = (
    32 * 1024 * 1024
)  # a page of 100 invoices with long lines is 3 MiB; ten times that is no page
BODY_S_MAX = 60.0  # whoever drips bytes for longer will not come to an end
_GZIP_OR_ZLIB = 47  # zlib's word for: look at the header


def read_body(
    response: httpx.Response, *, account: str, clock: Callable[[], float] = time.monotonic
) -> bytes:
    """The decoded body of a streamed response.

    Decompressed here and not by httpx, because there a few kilobytes may become gigabytes before they can be
    counted.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "deflate"}:
        raise Malformed(
            f"Stripe's answer is encoded as “{encoding[:40]}”, which nobody asked for.", account=account
        )
    inflate = None if encoding == "identity" else zlib.decompressobj(_GZIP_OR_ZLIB)
    until = clock() + BODY_S_MAX
    chunks: list[bytes] = []
    held = 0
    for raw in response.iter_raw():
        try:
            chunk = raw if inflate is None else inflate.decompress(raw, BODY_BYTES_MAX - held + 1)
        except zlib.error:
            raise Malformed("Stripe's answer says gzip and is none.", account=account) from None
        held += len(chunk)
        if held > BODY_BYTES_MAX:
            raise Malformed(
                f"Stripe's answer is larger than {BODY_BYTES_MAX // 1024 // 1024} MiB; that is no page of 100 objects.",
                account=account,
            )
        if clock() > until:
            raise Unreachable(f"Stripe's answer did not end within {BODY_S_MAX:.0f} s.", account=account)
        chunks.append(chunk)
    if inflate is not None and not inflate.eof:
        raise Unreachable("Stripe's answer ended too early.", account=account)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
