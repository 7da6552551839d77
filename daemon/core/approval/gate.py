"""The words of the Cheqpoint-compatible gate: its callers' names for actions and fields, and how it says what became of
a request.

Its clients take `modifiedDetails` instead of what they sent, not on top of it. So it is the whole of what may be done,
in the caller's own names, or null where nothing was edited.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from daemon.core.approval.answers import progress_of, status_of
from daemon.core.canonical import Json

Fields = Mapping[str, str]  # ours = theirs; none: they use our names

BUILT_IN: Final[Mapping[str, tuple[str, Fields]]] = {
    "issue_refund": (
        "refund",
        {
            "charge": "charge_id",
            "payment_intent": "payment_intent_id",
            "amount": "amount_cents",
            "currency": "currency",
            "reason": "reason",
        },
    )
}

ANSWERS: Final = {"pending": "PENDING", "approved": "APPROVED"}  # every other end is REJECTED
ASK_AGAIN: Final = frozenset({"expired", "withdrawn", "moot"})  # no person has said no


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to say about a request to its caller."""

    id: str
    case_id: str
    version: int
    state: str
    execution: Literal["daemon", "caller"]
    executable_at: datetime | None
    expires_at: datetime | None
    decided_at: datetime | None
    idempotency_key: str
    asked: Mapping[str, Json] | None  # as the caller spelled it; None: it is not to be repeated here
    effective: Mapping[str, Json] | None  # likewise, of the newest version
    edited: bool
    verifiable: bool
    automatic: str | None = None  # the line of the policy that approved it
    note: str | None = None
    reason: str | None = None
    have: int = 0
    need: int = 0
    object_id: str | None = None

    def status(self, now: datetime) -> str:
        """Approved is told once nobody can take it back any more."""
        undone_still = self.executable_at is not None and now < self.executable_at
        return status_of(self.state, undone_still=undone_still)


def exact(spelled: Any) -> Json:
    """JSON as we keep it: what is not a whole number is a text, since a float is rarely the number that was meant."""
    match spelled:
        case float():
            return repr(spelled)
        case list():
            return [exact(each) for each in spelled]
        case dict():
            return {name: exact(each) for name, each in spelled.items()}
    known: Json = spelled
    return known


def ours(theirs: Mapping[str, Json], fields: Fields) -> dict[str, Json]:
    """What they sent, in our names. What no field names is theirs alone and means nothing to us."""
    if not fields:
        return dict(theirs)
    return {our: theirs[their] for our, their in fields.items() if their in theirs}


def theirs(
    details: Mapping[str, Json], fields: Fields, asked: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """Ours in their names, with whatever else they had sent. An empty field that they had not sent is left out."""
    asked = asked or {}
    renamed = {fields.get(our, our): value for our, value in details.items()}
    named = set(fields.values()) if fields else set(asked)
    rest = {their: value for their, value in asked.items() if their not in named}
    kept = {name: value for name, value in renamed.items() if value is not None or name in asked}
    return rest | {name: _as_spelled(value, asked.get(name)) for name, value in kept.items()}


def _as_spelled(value: Json, asked: Any) -> Json:
    """Ours, but where nothing was changed exactly as they had written it."""
    match value, asked:
        case dict(), dict():
            return {name: _as_spelled(each, asked.get(name)) for name, each in value.items()}
        case list(), list() if len(value) == len(asked):
            return [_as_spelled(each, theirs) for each, theirs in zip(value, asked, strict=True)]
    if isinstance(asked, float) and exact(asked) == value:
        return cast(Json, asked)
    return value


def request_answer(told: Told, now: datetime) -> dict[str, Json]:
    """To POST /api/approvals/request and GET /api/approvals/{id}."""
    status = told.status(now)
    return {
        "id": told.id,
        "status": ANSWERS.get(status, "REJECTED"),
        "details": told.asked,
        **_said(told, status),
        "responseNotes": told.note if status != "pending" else None,
    }


def inbound_answer(told: Told, now: datetime, review_url: str) -> dict[str, Json]:
    """To POST /api/webhooks/inbound."""
    status = told.status(now)
    return {
        "approvalId": told.id,
        "status": status if status in ANSWERS else "rejected",
        **_said(told, status),
        "reviewUrl": review_url,
    }


def callback(told: Told, sequence: int) -> dict[str, Json]:
    """What is posted to its caller. Nothing that somebody wrote goes along: it is fetched by id."""
    status = status_of(told.state)
    return {
        "id": told.id,
        "approvalId": told.id,
        "status": ANSWERS.get(status, "REJECTED"),
        "version": told.version,
        "sequence": sequence,
        "details": told.asked,
        **_said(told, status),
    }


def _said(told: Told, status: str) -> dict[str, Json]:
    decided, approved = status != "pending", status == "approved"
    return {
        "modifiedDetails": told.effective if told.edited and decided else None,
        "decisionNote": told.note if decided else None,
        "decisionReasonCode": told.state if decided and not approved else None,
        "decidedAt": _text(told.decided_at) if decided else None,
        "autoDecided": decided and told.automatic is not None,
        "autoDecisionRuleName": told.automatic if decided else None,
        "retryable": _may_be_asked_again(told),
        "approvals": {"have": told.have, "need": told.need},
        "execution": {
            "mode": told.execution,
            "status": progress_of(told.state),
            "stripe_object_id": told.object_id,
            "verification": "by reconciliation" if told.verifiable else "not verifiable",
        },
        # Where we execute it ourselves, nobody else is to have the means.
        "stripeIdempotencyKey": told.idempotency_key if approved and told.execution == "caller" else None,
        "approvalExpiresAt": _text(told.expires_at) if approved else None,
    }


def _may_be_asked_again(told: Told) -> bool:
    """Not where its caller was told of an approval and may have acted on it: asked again, it could be done twice."""
    return told.state in ASK_AGAIN and (told.executable_at is None or told.execution != "caller")


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
