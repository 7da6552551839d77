"""What an answer of Stripe's means, and the one place where foreign errors become ours.

For a read, only what Stripe itself says in its own JSON counts as “no such object” or “not permitted”: a proxy's
404 page is no answer. For a write there are two outcomes besides success: Refused, where Stripe says that
nothing was done and why; and Uncertain for everything else, to be observed and then sent again with the same key.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from accounts.errors import (
    ActionError,
    Forbidden,
    Malformed,
    ObservationError,
    RateLimited,
    Refused,
    Unauthorized,
    Uncertain,
    Unreachable,
)

RETRY_AFTER_S_MAX = 600.0  # whoever asks for longer is asked again after ten minutes
SAYING_MAX = 300  # characters of Stripe's own sentence that are repeated
LOCK_TIMEOUT: Final = "lock_timeout"

_PERMISSION = re.compile(r"\brak_[a-z0-9_]+")
_KEY_ACCOUNT = re.compile(r"\bon account '(acct_[A-Za-z0-9]+)'")
_E_MAIL = re.compile(r"[^\s'\"<>@]+@[^\s'\"<>@]+")


class NoSuchObject(ObservationError):
    """Stripe says that there is no such object: known absence or, where `param` is the cursor, a lost place."""

    param: str | None = None


class _Error(Struct):
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    param: str | None = None
    type: str | None = None


class _ErrorBody(Struct):
    error: _Error


def said(body: bytes) -> _Error | None:
    """Stripe's own error object, or None where somebody else is speaking."""
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def observation_error(
    status: int, headers: Mapping[str, str], body: bytes, *, account: str, resource: str, now: datetime
) -> ObservationError:
    """What an answer other than 200 to a GET means."""
    request_id = headers.get("request-id")
    error = said(body)
    if status == 429:
        return rate_limited(headers, body, account=account, what=f"reads of {resource}", now=now)
    if status >= 500 or status == 408:
        return Unreachable(
            f"Stripe answered {status} when {resource} were read. It is tried again.",
            account=account,
            request_id=request_id,
        )
    if error is None:
        return Malformed(
            f"The answer {status} to a read of {resource} is not Stripe's: a redirect or a page of something "
            "in between. Look at the proxy and at stripe_api.",
            account=account,
            request_id=request_id,
        )
    if status == 401:
        return _unauthorized(error, account, request_id)
    if status == 403:
        return _forbidden(error, account, resource, request_id)
    if error.code == "resource_missing":
        absent = NoSuchObject(
            f"Stripe knows no such object ({error.param or 'id'}) among {resource}.",
            account=account,
            request_id=request_id,
        )
        absent.param = error.param
        return absent
    return Malformed(
        f"Stripe refuses the read of {resource}: {_quoted(error)}.", account=account, request_id=request_id
    )


def rate_limited(
    headers: Mapping[str, str], body: bytes, *, account: str, what: str, now: datetime
) -> RateLimited:
    """What a 429 means: which limiter it was, or a lock, and how long to wait if they say so."""
    reason = headers.get("stripe-rate-limited-reason")
    error = said(body)
    if reason is None and error is not None and error.code == LOCK_TIMEOUT:
        reason = LOCK_TIMEOUT
    return RateLimited(
        f"Stripe asks to wait with {what} ({reason or 'no reason given'}).",
        reason=reason,
        retry_after_s=retry_after_s(headers.get("retry-after"), now),
        account=account,
        request_id=headers.get("request-id"),
    )


def no_answer(problem: httpx.HTTPError, *, account: str, resource: str) -> Unreachable:
    """Nothing usable came back to a GET."""
    kind = "did not answer in time" if isinstance(problem, httpx.TimeoutException) else "could not be reached"
    return Unreachable(
        f"Stripe {kind} when {resource} were read ({type(problem).__name__}). It is tried again.",
        account=account,
    )


def action_error(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes,
    *,
    account: str,
    action: str,
    connected: bool = True,
) -> ActionError:
    """What anything but success means for a write.

    `status` is None where no answer came; `connected` False where not even a connection did.
    """
    request_id = headers.get("request-id")
    error = said(body)
    if status is None:
        told = (
            "The connection was lost, or no answer came in time: it may have been done."
            if connected
            else "Stripe could not be reached: nothing was sent."
        )
        return Uncertain(
            f"{action}: {told} Look at the object first.", nothing_done=not connected, account=account
        )
    if status == 429:
        why = (
            LOCK_TIMEOUT
            if error and error.code == LOCK_TIMEOUT
            else headers.get("stripe-rate-limited-reason")
        )
        return Uncertain(
            f"{action}: Stripe asks to wait ({why or 'rate limit'}) and has done nothing. The same key may be "
            "sent again.",
            nothing_done=True,
            account=account,
            request_id=request_id,
        )
    if status == 409:
        return Uncertain(
            f"{action}: another request with the same key is still running. Look at the object first.",
            account=account,
            request_id=request_id,
        )
    if error is None or not 400 <= status < 500:
        replayed = headers.get("idempotent-replayed") == "true"
        told = "repeats the failure it stored for this key" if replayed else "gave no answer that settles it"
        return Uncertain(
            f"{action}: Stripe {told} (status {status}). Look at the object first.",
            stored=replayed,
            account=account,
            request_id=request_id,
        )
    if status == 401:
        return Refused(
            f"{action}: the act_key is unknown, expired or revoked. Put a new restricted key in its place.",
            code=error.code or "unauthorized",
            account=account,
            request_id=request_id,
        )
    if status == 403:
        needed = " or ".join(_permissions(error)) or "a permission it lacks"
        return Refused(
            f"{action}: the act_key may not do this. Add {needed} to it.",
            code=error.code or "more_permissions_required",
            account=account,
            request_id=request_id,
        )
    return Refused(
        f"{action}: {_quoted(error)}.",
        code=error.decline_code or error.code or error.type,
        account=account,
        request_id=request_id,
    )


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Reads Retry-After, as seconds or as a date; None where there is none that can be read."""
    if text is None:
        return None
    try:
        if text.strip().isdigit():
            wait_s = float(text)
        else:
            until = parsedate_to_datetime(text)
            wait_s = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def _unauthorized(error: _Error, account: str, request_id: str | None) -> Unauthorized:
    how = "has expired (api_key_expired)" if error.code == "api_key_expired" else "is unknown or was revoked"
    return Unauthorized(
        f"The read_key {how} and is no longer used. Create a new restricted key, put it in its place and reload.",
        account=account,
        request_id=request_id,
    )


def _forbidden(error: _Error, account: str, resource: str, request_id: str | None) -> Forbidden:
    permissions = _permissions(error)
    if permissions:
        told = f"The key may not read {resource}. Add the permission {' or '.join(permissions)}."
    elif error.code == "account_invalid":
        told = "The platform's key may not open this account. Look at the Connect settings of the platform."
    else:
        told = f"The key may not read {resource} ({_quoted(error)})."
    found = _KEY_ACCOUNT.search(error.message or "")
    return Forbidden(
        told,
        permissions=permissions,
        key_account=found[1] if found else None,
        account=account,
        request_id=request_id,
    )


def _permissions(error: _Error) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PERMISSION.findall(error.message or "")))


def _quoted(error: _Error) -> str:
    """Stripe's own sentence with its codes; nothing in it can pose as ours, run, or name a person."""
    codes = ", ".join(code for code in (error.code, error.decline_code, error.param) if code)
    message = "".join(letter if letter.isprintable() else " " for letter in error.message or "")
    message = _E_MAIL.sub("(an address)", message)[:SAYING_MAX].strip().rstrip(".")
    return f"“{message}” ({codes})" if codes else f"“{message}”"
