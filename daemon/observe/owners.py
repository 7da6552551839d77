"""Whose an object is: its customer's, or where Stripe says there is none, the payment's that it belongs to.

A dispute, a fraud warning, a review or a refund names no customer; its charge does. Where the charge has none either,
the charge itself is what we look at, with all that belongs to it. The store keeps the answer beside the object, as
`cus_1` or as `charge/ch_1`, so that a subject's facts are found by one key.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from accounts.facts import Address, Subject

CUSTOMER: Final = "customer"
ACCOUNT: Final = "account"
BELONG_TO_PAYMENTS: Final = frozenset({"refund", "dispute", "radar.early_fraud_warning", "review"})
BELONG_TO_INVOICES: Final = frozenset({"invoice_payment"})
OF_OTHERS: Final = BELONG_TO_PAYMENTS | BELONG_TO_INVOICES
ALONE: Final = frozenset({"payout"})  # nobody's, and looked at by themselves
PARENTS: Final = frozenset({"charge", "payment_intent", "invoice"})  # that others belong to


def owner_by_itself(one: Any, type: str) -> str | None:
    """The owner that an object names, or is; None where another object has to tell, or there can be none."""
    customer = getattr(one, "customer", None)
    match type:
        case "customer":
            return str(one.id)
        case "charge":
            return customer or written("charge", one.id)
        case "payment_intent":
            of_charge = written("charge", one.latest_charge) if one.latest_charge else None
            return customer or of_charge or written("payment_intent", one.id)
        case "invoice" | "subscription" | "credit_note":
            return customer or written(type, one.id)
        case "refund":
            return customer
        case _:
            return None


def parents(one: Any, type: str) -> tuple[Address, ...]:
    """The objects that can tell whose this is, the best first."""
    if type in BELONG_TO_INVOICES:
        return (Address("invoice", one.invoice),)
    if type not in BELONG_TO_PAYMENTS:
        return ()
    named = (("charge", one.charge), ("payment_intent", one.payment_intent))
    return tuple(Address(parent, name) for parent, name in named if name is not None)


def owner_by_parents(
    one: Any, type: str, known: Mapping[Address, str], absent: Iterable[Address] = ()
) -> str | None:
    """The owner that its parents have; its own where Stripe has none of them; None while that is not known."""
    candidates = parents(one, type)
    for parent in candidates:
        if parent in known:
            return known[parent]
    if candidates and not set(candidates) <= set(absent):
        return None
    return written(type, one.id)


def written(type: str, id: str) -> str:
    """An owner that is no customer, as the store keeps it; ids have no slash."""
    return f"{type}/{id}"


def subject_of(account: str, owner: str) -> Subject:
    kind, slash, name = owner.partition("/")
    return Subject(account, kind, name) if slash else Subject(account, CUSTOMER, owner)


def owner_of(subject: Subject) -> str:
    return subject.id if subject.kind == CUSTOMER else written(subject.kind, subject.id)
