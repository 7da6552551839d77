"""Evidence for a dispute: a narrative from what Stripe, CRM and product say, and what this reason still needs.

The draft is made of ids, dates, plans and amounts. What is personal (names, addresses, an IP address) and what is
a file is named as missing, for a person to add. Nothing is claimed that was not read.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from accounts.money import Money
from accounts.stripe.shapes import Charge, Dispute, Invoice, Subscription
from daemon.core.canonical import Json
from daemon.core.context import charge_of, day, good_payments, invoice_of, product_says, subscription_of
from daemon.core.model import Facts, Recommendation

ALL_TEXT_MAX: Final = 150_000  # Stripe's: characters of all text fields together
ONE_TEXT_MAX: Final = 20_000  # Stripe's: of each of the fields below
LONG_TEXTS: Final = frozenset(
    {
        "access_activity_log", "cancellation_policy_disclosure", "cancellation_rebuttal",
        "duplicate_charge_explanation", "product_description", "refund_policy_disclosure",
        "refund_refusal_explanation", "uncategorized_text",
    }
)  # fmt: skip
FILES: Final = frozenset(
    {
        "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation",
        "receipt", "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
    }
)  # fmt: skip
PERSONAL: Final = frozenset(
    {
        "billing_address", "customer_email_address", "customer_name", "customer_purchase_ip", "shipping_address",
        "shipping_tracking_number",
    }
)  # fmt: skip
TEXTS: Final = (
    LONG_TEXTS | PERSONAL | {"duplicate_charge_id", "service_date", "shipping_carrier", "shipping_date"}
)

PAYMENTS_TOLD_MAX: Final = 12  # a year of months; a longer list convinces nobody more

_SERVICE: Final = ("product_description", "service_date", "access_activity_log", "uncategorized_text")
_WHO: Final = ("customer_name", "customer_email_address", "customer_purchase_ip", "billing_address")

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "fraudulent": (*_SERVICE, *_WHO),
    "unrecognized": (*_SERVICE, *_WHO, "receipt"),
    "product_not_received": (*_SERVICE, "service_documentation", "customer_communication"),
    "product_unacceptable": (
        *_SERVICE, "service_documentation", "customer_communication", "refund_policy", "refund_policy_disclosure",
        "refund_refusal_explanation",
    ),
    "subscription_canceled": (
        *_SERVICE, "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal",
        "customer_communication",
    ),
    "duplicate": (
        *_SERVICE, "duplicate_charge_id", "duplicate_charge_explanation", "duplicate_charge_documentation", "receipt",
    ),
    "credit_not_processed": (
        *_SERVICE, "refund_policy", "refund_policy_disclosure", "refund_refusal_explanation",
        "customer_communication",
    ),
}  # fmt: skip
OTHERWISE: Final = (*_SERVICE, "customer_communication", "receipt")  # general, and reasons that come later


class Evidence(NamedTuple):
    fields: Mapping[str, str]
    have: tuple[str, ...]  # of what this reason needs
    missing: tuple[str, ...]

    @property
    def complete_percent(self) -> int:
        return 100 * len(self.have) // (len(self.have) + len(self.missing))

    def recommendation(self, dispute: Dispute) -> Recommendation:
        details: dict[str, Json] = {"dispute": dispute.id, "evidence": dict(self.fields), "files": []}
        return Recommendation("dispute_evidence", details, personal=("evidence",))

    def completeness(self) -> dict[str, Json]:
        return {
            "complete_percent": self.complete_percent,
            "have": list(self.have),
            "missing": list(self.missing),
            "missing_files": [each for each in self.missing if each in FILES],
            "missing_personal": [each for each in self.missing if each in PERSONAL],
        }


def draft(facts: Facts, dispute: Dispute) -> Evidence:
    charge = charge_of(facts, dispute.charge)
    invoice = invoice_of(facts, charge) if charge is not None else None
    subscription = subscription_of(facts, invoice)
    written = {
        "product_description": _product(facts, subscription),
        "service_date": _service_date(invoice),
        "access_activity_log": _access(facts),
        **_of_reason(facts, dispute, charge, invoice, subscription),
        "uncategorized_text": _narrative(facts, dispute, charge, invoice, subscription),
    }
    fields = fitted({name: text for name, text in written.items() if text})
    needed = NEEDED.get(dispute.reason, OTHERWISE)
    have = tuple(name for name in needed if name in fields)
    return Evidence(fields, have, tuple(name for name in needed if name not in fields))


def problems(evidence: Mapping[str, str]) -> tuple[str, ...]:
    """Why Stripe would refuse this, before the one submission is spent on it; none if it would not."""
    found = [
        f"“{name}” is no text field of Stripe's evidence"
        for name in sorted(evidence)
        if name not in TEXTS and name not in FILES
    ]
    for name in sorted(LONG_TEXTS & set(evidence)):
        if len(evidence[name]) > ONE_TEXT_MAX:
            found.append(f"“{name}” has {len(evidence[name]):,} characters; Stripe takes {ONE_TEXT_MAX:,}")
    whole = sum(len(text) for name, text in evidence.items() if name not in FILES)
    if whole > ALL_TEXT_MAX:
        found.append(f"all texts together have {whole:,} characters; Stripe takes {ALL_TEXT_MAX:,}")
    return tuple(found)


def fitted(written: Mapping[str, str]) -> dict[str, str]:
    """Cut to Stripe's limits at the end of a line, where there is one; what is drafted never costs the submission."""
    left = ALL_TEXT_MAX
    fitting = {}
    for name, text in written.items():
        kept = _cut(text, min(left, ONE_TEXT_MAX))
        if kept:
            fitting[name] = kept
            left -= len(kept)
    return fitting


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    whole_lines = text[:characters].rpartition("\n")[0]
    return whole_lines or text[:characters]


def _product(facts: Facts, subscription: Subscription | None) -> str:
    if subscription is None:
        return ""
    seats = [str(item.quantity) for item in subscription.items.data if item.quantity and item.quantity > 1]
    count = f", quantity {' + '.join(seats)}" if seats else ""
    return f"Subscription to {facts.plan_of(subscription)}{count}, an online service ({subscription.id})."


def _service_date(invoice: Invoice | None) -> str:
    if invoice is None or invoice.period_start is None or invoice.period_end is None:
        return ""
    if day(invoice.period_start) == day(invoice.period_end):
        return day(invoice.period_start)
    return f"{day(invoice.period_start)} to {day(invoice.period_end)}"


def _access(facts: Facts) -> str:
    lines = []
    for each in facts.entitlements:
        named = each.feature or each.plan or each.key
        until = f", until {each.expires_at:%Y-%m-%d}" if each.expires_at is not None else ""
        since = f", last changed on {each.updated:%Y-%m-%d}" if each.updated is not None else ""
        lines.append(f"Access to {named}: {each.status or 'not stated'}{until}{since}.")
    return "\n".join(sorted(lines))


def _of_reason(
    facts: Facts,
    dispute: Dispute,
    charge: Charge | None,
    invoice: Invoice | None,
    subscription: Subscription | None,
) -> dict[str, str]:
    match dispute.reason:
        case "duplicate":
            return _not_twice(facts, charge, invoice)
        case "subscription_canceled":
            return {"cancellation_rebuttal": _cancellation(charge, subscription)}
        case "credit_not_processed" | "product_unacceptable":
            return {"refund_refusal_explanation": _refunds(facts, charge)}
        case _:
            return {}


def _not_twice(facts: Facts, charge: Charge | None, invoice: Invoice | None) -> dict[str, str]:
    """The payment that it may be mistaken for: the same amount of the same customer, nearest in time."""
    if charge is None or invoice is None:
        return {}
    alike = [
        each
        for each in facts.charges
        if each.id != charge.id
        and each.paid
        and (each.amount, each.currency) == (charge.amount, charge.currency)
    ]
    nearest = min(alike, key=lambda each: (abs(each.created - charge.created), each.id), default=None)
    other = invoice_of(facts, nearest) if nearest is not None else None
    if nearest is None or other is None or other.id == invoice.id:
        return {}
    return {
        "duplicate_charge_id": nearest.id,
        "duplicate_charge_explanation": f"{charge.id} of {day(charge.created)} paid the invoice {invoice.id}"
        f"{_period(invoice)}; {nearest.id} of {day(nearest.created)} paid the invoice {other.id}{_period(other)}. "
        "They are two invoices.",
    }


def _cancellation(charge: Charge | None, subscription: Subscription | None) -> str:
    if charge is None or subscription is None:
        return ""
    if subscription.canceled_at is None:
        return f"The subscription {subscription.id} was not canceled."
    if subscription.canceled_at > charge.created:
        return (
            f"The payment was made on {day(charge.created)}; the subscription {subscription.id} was canceled after "
            f"it, on {day(subscription.canceled_at)}."
        )
    return ""  # canceled before it was charged: that is their case, not ours


def _refunds(facts: Facts, charge: Charge | None) -> str:
    if charge is None:
        return ""
    made = [each for each in facts.refunds if each.charge == charge.id and each.status == "succeeded"]
    return "\n".join(
        f"{Money(each.amount, each.currency)} of this payment were refunded on {day(each.created)} ({each.id})."
        for each in sorted(made, key=lambda each: (each.created, each.id))
    )


def _narrative(
    facts: Facts,
    dispute: Dispute,
    charge: Charge | None,
    invoice: Invoice | None,
    subscription: Subscription | None,
) -> str:
    disputed = Money(dispute.amount, dispute.currency)
    if charge is None:
        return f"The dispute {dispute.id} is about {disputed} of the payment {dispute.charge}."
    lines = [
        f"The payment {charge.id} of {Money(charge.amount, charge.currency)} was made on {day(charge.created)}."
    ]
    if dispute.amount != charge.amount:
        lines.append(f"{disputed} of it are disputed.")
    if invoice is not None:
        lines.append(f"It paid the invoice {invoice.id}{_period(invoice)}.")
    if subscription is not None:
        begun = subscription.start_date or subscription.created
        goes_on = " and goes on" if subscription.status == "active" else ""
        lines.append(
            f"The invoice is for the subscription {subscription.id} to {facts.plan_of(subscription)}, which began on "
            f"{day(begun)}{goes_on}."
        )
    lines += _history(facts, charge)
    if access := [each["feature"] or each["plan"] or each["key"] for each in _given(facts)]:
        lines.append(f"The customer was given access to: {', '.join(str(each) for each in access)}.")
    return "\n".join(lines)


def _given(facts: Facts) -> list[dict[str, Json]]:
    return [each for each in product_says(facts) if isinstance(each, dict)]


def _history(facts: Facts, charge: Charge) -> list[str]:
    earlier = good_payments(facts, charge.created)
    if not earlier:
        return ["No earlier payment of this customer is known."]
    total = f"The same customer made {len(earlier)} earlier payment{'s' if len(earlier) > 1 else ''}"
    lines = [f"{total}, none of which was disputed or refunded whole:"]
    lines += [
        f"- {day(each.created)}: {Money(each.amount, each.currency)} ({each.id})"
        for each in earlier[:PAYMENTS_TOLD_MAX]
    ]
    if len(earlier) > PAYMENTS_TOLD_MAX:
        lines.append(f"- and {len(earlier) - PAYMENTS_TOLD_MAX} before")
    return lines


def _period(invoice: Invoice) -> str:
    when = _service_date(invoice)
    return f" for {when}" if when else ""
