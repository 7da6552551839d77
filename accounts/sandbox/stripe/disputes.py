"""Disputes: evidence is staged or submitted, once; what is staged goes out at the deadline; accepting one loses it."""

from typing import Any

from accounts.sandbox.objects.risk import EVIDENCE_FIELDS
from accounts.sandbox.stripe import ledger
from accounts.sandbox.stripe.call import Answer, Call, changed, writes
from accounts.sandbox.stripe.expansion import LINKS
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.refusals import parameter_invalid, refused
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json, StripeAccount

PERMISSIONS = BY_CLASS["dispute"].permissions

METHODS = ("manual", "prefer_manual", "prefer_smart_disputes", "smart_disputes")
AFTER_SUBMISSION = {
    "needs_response": "under_review",
    "warning_needs_response": "warning_under_review",
    "appeal_needs_response": "appeal_under_review",
}
CLOSED = ("won", "lost", "warning_closed", "prevented")

TEXT_LENGTH_MAX = 20_000  # of each of these
LONG_TEXTS = (
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "uncategorized_text",
)
ALL_TEXTS_LENGTH_MAX = 150_000
FILES = tuple(name.removeprefix("evidence.") for name in LINKS["dispute"] if name.startswith("evidence."))
LOST_AFTER_S = 86_400  # how long after an unanswered deadline the bank decides


def _update(call: Call) -> Answer:
    params, before = call.params, call.one("dispute", call.id)
    given = params.inside("evidence")
    evidence = {} if given is None else _evidence(call, given)
    method = params.text("intended_submission_method", one_of=METHODS)
    submit = params.flag("submit")
    metadata = params.metadata(before["metadata"])
    params.finish()
    after = before | {"metadata": metadata}
    if method:
        after["intended_submission_method"] = method
    if evidence:
        _answerable(before, evidence)
        after["evidence"] = before["evidence"] | evidence
        _check_length(after["evidence"])
        after["evidence_details"] = before["evidence_details"] | {"has_evidence": True}
    details = after["evidence_details"]
    staged = (
        before["status"] in AFTER_SUBMISSION and details["has_evidence"] and not details["submission_count"]
    )
    if submit is not False and (evidence or staged):
        _answerable(before, evidence)
        after = _submitted(after, "manual", call.now)
    elif submit:
        _answerable(before, evidence)
        raise refused("There is no evidence to submit.", param="evidence")
    call.put(after)
    call.emit("charge.dispute.updated", after, before)
    return after


def _answerable(dispute: Json, evidence: Json) -> None:
    id_, status, details = dispute["id"], dispute["status"], dispute["evidence_details"]
    if status in CLOSED:
        raise refused(f"Dispute {id_} is already closed.")
    if status not in AFTER_SUBMISSION:
        raise refused(f"Evidence for dispute {id_} has already been submitted and can no longer be changed.")
    if details["due_by"] == 0:
        raise refused(f"Dispute {id_} takes no response.")
    if (status == "appeal_needs_response") != ("appeal" in evidence) and evidence:
        raise refused(
            f"Dispute {id_} takes {'only' if 'appeal' not in evidence else 'no'} evidence of appeal."
        )


def _evidence(call: Call, given: Params) -> Json:
    evidence: dict[str, Any] = {}
    for name in (*EVIDENCE_FIELDS, "appeal", "enhanced_evidence"):
        if name not in given:
            continue
        if given.nested(name):
            if name in EVIDENCE_FIELDS:
                raise parameter_invalid(f"evidence[{name}]", "Invalid string")
            evidence[name] = given.tree(name)
            continue
        most = TEXT_LENGTH_MAX if name in LONG_TEXTS else ALL_TEXTS_LENGTH_MAX
        text = given.text(name, length_max=most)
        if text and name in FILES:
            file = call.one("file", text, f"evidence[{name}]")
            if file["purpose"] != "dispute_evidence":
                raise parameter_invalid(
                    f"evidence[{name}]", f"File {text} was not uploaded as dispute_evidence."
                )
        evidence[name] = text or None
    given.finish()
    return evidence


def _check_length(evidence: Json) -> None:
    length = sum(len(text) for name, text in evidence.items() if isinstance(text, str) and name not in FILES)
    if length > ALL_TEXTS_LENGTH_MAX:
        raise parameter_invalid(
            "evidence",
            f"The combined character count of all evidence is {length}; at most {ALL_TEXTS_LENGTH_MAX} are accepted.",
        )


def _submitted(dispute: Json, method: str, now: int) -> Json:
    """Staged and new evidence alike goes to the bank, once."""
    details = dispute["evidence_details"]
    return dispute | {
        "status": AFTER_SUBMISSION[dispute["status"]],
        "evidence_details": details
        | {
            "has_evidence": True,
            "submission_count": details["submission_count"] + 1,
            "submission_method": method,
            "past_due": details["due_by"] is not None and now > details["due_by"],
        },
    }


def _close(call: Call) -> Answer:
    call.params.finish()
    dispute = call.one("dispute", call.id)
    if dispute["status"] in CLOSED:
        raise refused(f"Dispute {call.id} is already closed.")
    if dispute["status"] not in AFTER_SUBMISSION:
        raise refused(f"Dispute {call.id} is under review and can no longer be closed.")
    return conclude(call.account, dispute, "lost", call.cause)


def conclude(account: StripeAccount, before: Json, status: str, cause: Json | None = None) -> Json:
    """The dispute ends. A won one brings its money back."""
    after = before | {"status": status, "is_charge_refundable": status in ("won", "warning_closed")}
    if status == "won" and before["balance_transactions"]:
        amount, currency = before["amount"], before["currency"]
        back = ledger.book(account, "adjustment", amount, currency, before["id"], category="dispute_reversal")
        after["balance_transactions"] = [*before["balance_transactions"], back]
        account.emit("charge.dispute.funds_reinstated", after, changed(before, after), cause)
    account.put(after)
    account.emit("charge.dispute.closed", after, changed(before, after), cause)
    return after


def watch(account: StripeAccount, dispute: Json) -> None:
    """Has the clock do what Stripe does at the deadline; every dispute that is put comes by here."""
    due_by = dispute["evidence_details"]["due_by"]
    now = account.world.clock.now()
    if not due_by or dispute["status"] not in AFTER_SUBMISSION or due_by + LOST_AFTER_S <= now:
        return
    account.world.clock.at(due_by, lambda: _at_deadline(account, dispute["id"], due_by))
    account.world.clock.at(due_by + LOST_AFTER_S, lambda: _after_deadline(account, dispute["id"], due_by))


def _at_deadline(account: StripeAccount, id_: str, due_by: int) -> None:
    dispute = _unanswered(account, id_, due_by)
    if dispute and dispute["evidence_details"]["has_evidence"]:
        if dispute["intended_submission_method"] not in ("manual", "prefer_manual"):
            return
        after = account.put(_submitted(dispute, "manual", due_by))
        account.emit("charge.dispute.updated", after, changed(dispute, after))


def _after_deadline(account: StripeAccount, id_: str, due_by: int) -> None:
    dispute = _unanswered(account, id_, due_by)
    if dispute:
        inquiry = dispute["status"].startswith("warning")
        conclude(account, dispute, "warning_closed" if inquiry else "lost")


def _unanswered(account: StripeAccount, id_: str, due_by: int) -> Json | None:
    dispute = account.get("dispute", id_)
    if dispute is None or dispute["evidence_details"]["due_by"] != due_by:
        return None
    return dispute if dispute["status"] in AFTER_SUBMISSION else None


ENDPOINTS = (
    writes("/v1/disputes/{id}", "dispute", PERMISSIONS, _update),
    writes("/v1/disputes/{id}/close", "dispute", PERMISSIONS, _close),
)
