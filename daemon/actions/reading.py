"""Reads what an action is about, live, before it is decided and again before it is done."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from accounts.budget import Purpose
from accounts.errors import Forbidden, Malformed
from accounts.facts import Address
from accounts.stripe.decoding import OUR_TAG, Deleted
from accounts.stripe.reads import Reader
from accounts.stripe.resources import BY_NAME
from accounts.stripe.shapes import Charge, Dispute, PaymentIntent, Subscription
from accounts.stripe.writes import Outcome, Writer
from daemon.actions.shape import BadDetails, Done, Hands
from daemon.core.canonical import Json

T = TypeVar("T")

LIVE: Final = Purpose.LIVE_REREAD


def the(reader: Reader, shape: type[T], type_: str, id_: str) -> T:
    """The object that the details name. Raises BadDetails where the account has none."""
    found = reader.one(Address(type_, id_), purpose=LIVE)
    if isinstance(found, shape):
        return found
    raise BadDetails(missing(type_, id_, found))


def still(reader: Reader, shape: type[T], address: Address) -> T | None:
    """The target of a call that was made; None where the account has it no longer."""
    found = reader.one(address, purpose=LIVE)
    return found if isinstance(found, shape) else None


def payer_of(reader: Reader, dispute: Dispute) -> str | None:
    """The customer whose payment is disputed, as its charge says; None where none is named, or we may not read it."""
    try:
        charge = still(reader, Charge, Address("charge", dispute.charge))
    except Forbidden:
        return None
    return charge.customer if charge is not None else None


def missing(type_: str, id_: str, found: object) -> str:
    gone = "it is deleted" if isinstance(found, Deleted) else "there is none on this account"
    return f"{type_}: {id_}: {gone}."


def all_of(reader: Reader, resource: str, **filters: Any) -> list[Any]:
    """Everything in a list. Raises Malformed where one of it is not understood: then nothing is known for sure."""
    found: list[Any] = []
    for page in reader.pages(BY_NAME[resource], purpose=LIVE, **filters):
        if page.unreadable:
            raise Malformed(f"{page.unreadable[0].id} is not understood.", account=reader.account)
        found += page.items
    return sorted(found, key=lambda one: str(one.id))


def newest(reader: Reader, resource: str, **filters: Any) -> Any | None:
    page = reader.page(BY_NAME[resource], purpose=LIVE, limit=1, **filters)
    if page.unreadable:
        raise Malformed(f"{page.unreadable[0].id} is not understood.", account=reader.account)
    return page.items[0] if page.items else None


def is_ours(one: Any, tag: str) -> bool:
    return one.metadata is not None and one.metadata.get(OUR_TAG) == tag


def tagged(found: Iterable[T], tag: str) -> T | None:
    """The one that bears the tag of this proposal."""
    return next((one for one in found if is_ours(one, tag)), None)


def justification(reader: Reader, customer: str) -> dict[str, Json]:
    """What Stripe says of a customer that would justify giving or taking access: who pays for what, and who was
    paid back. Periods are left out, as they move on by themselves."""
    subscriptions: list[Subscription] = all_of(reader, "subscriptions", customer=customer)
    latest: Charge | None = newest(reader, "charges", customer=customer)
    return {
        "subscriptions": [
            {
                "id": each.id,
                "status": each.status,
                "cancel_at_period_end": each.cancel_at_period_end,
                "collection_paused": each.pause_collection is not None,
                "items": [
                    {"price": item.price.id if item.price else None, "quantity": item.quantity}
                    for item in each.items.data
                ],
            }
            for each in subscriptions
        ],
        "latest_charge": None
        if latest is None
        else {
            "id": latest.id,
            "status": latest.status,
            "amount_refunded": latest.amount_refunded,
            "disputed": latest.disputed,
        },
    }


def charge_of(intent: PaymentIntent) -> Address:
    """A payment has one name: its charge, or itself as long as it was never charged."""
    if intent.latest_charge is None:
        return Address("payment_intent", intent.id)
    return Address("charge", intent.latest_charge)


def writer_of(hands: Hands) -> Writer:
    assert hands.writer is not None, "only the executor acts"
    return hands.writer


def done(outcome: Outcome) -> Done:
    return Done(outcome.object_id, outcome.status, outcome.request_id, outcome.replayed)
