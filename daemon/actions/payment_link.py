"""Creates a payment link for a price. It moves nothing: whoever follows it may pay."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from accounts.facts import Address
from accounts.stripe.decoding import OUR_TAG
from accounts.stripe.resources import PAYMENT_LINKS
from accounts.stripe.shapes import PaymentLink, Price
from daemon.actions import details as given_as
from daemon.actions.reading import LIVE, done, tagged, the, writer_of
from daemon.actions.shape import Asked, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

if TYPE_CHECKING:
    from accounts.stripe import params as p

name: Final = "payment_link"
where: Final = "stripe"
repeatable: Final = True
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("price", "quantity")
PAGES_LOOKED_THROUGH_MAX: Final = (
    10  # links bear no time; a thousand newer ones were not made in the meantime
)


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given = given_as.known(details, name, FIELDS)
    price = given_as.an_id(given, "price")
    quantity = given_as.a_quantity({"quantity": 1, **given}, "quantity")
    return Asked({"price": price, "quantity": quantity}, Address("price", price))


def see(hands: Hands, asked: Asked) -> Seen:
    price = the(hands.reader, Price, "price", asked.target.id)
    material: dict[str, Json] = {
        "price": price.id,
        "active": price.active,
        "currency": price.currency,
        "unit_amount": price.unit_amount,
        "interval": price.recurring.interval if price.recurring else None,
        "livemode": price.livemode,
    }
    return Seen(asked.target, material, None, {"price": price})


def describe(asked: Asked, place: Place) -> str:
    return given_as.button(
        f"Create a payment link for {asked.details['quantity']} × {asked.target.id}", place
    )


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    price: Price = seen.objects["price"]
    return None if price.active else f"{price.id} is no longer sold."


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    line = {"price": asked.target.id, "quantity": asked.details["quantity"]}
    return {"line_items": [line], "metadata": {OUR_TAG: tag}}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    return done(writer_of(hands).payment_link(cast("p.PaymentLinkCreateParams", dict(request)), key=key))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    pages = hands.reader.pages(PAYMENT_LINKS, purpose=LIVE)
    for _ in range(PAGES_LOOKED_THROUGH_MAX):
        page = next(pages, None)
        if page is None:
            return Trace.ABSENT
        links: list[PaymentLink] = page.items
        if (made := tagged(links, sent.tag)) is not None:
            return Done(made.id, replayed=True)
    return Trace.UNSURE
