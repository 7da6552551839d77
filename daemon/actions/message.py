"""Writes a message by approved wording, to a customer or to the finance team.

The wording comes from the policy, or is ours; only its named fields are filled in. A customer's address and name are
read from Stripe at the moment of sending and kept nowhere: what is approved is the address's keyed hash, so that a
message to another reader comes back. Mail has no idempotency: of what may have been sent, only a person sends another.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from accounts.errors import Refused
from accounts.facts import Address
from accounts.stripe.shapes import Customer, Invoice
from daemon.actions import details as given_as
from daemon.actions.reading import LIVE, all_of, missing
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json, digest
from daemon.core.drafts.wording import BUILT_IN, FIELDS, FILLED_BY_SENDER, Message, open_fields, render, write
from daemon.core.model import Policy

name: Final = "message"
where: Final = "message"
repeatable: Final = False
verifiable: Final = False
caller_only: Final = False

GIVEN: Final = ("channel", "template", "to_role", "fields", "customer", "subject", "body")
CHANNELS: Final = ("email",)
ROLES: Final = ("customer", "finance")
FIELD_CHARACTERS_MAX: Final = 300  # a field is a name, an amount, a sentence; never the message itself


def read(details: Mapping[str, Json], place: Place) -> Asked:
    """`subject` and `body`, as drafts show them, are left aside: they are made of the wording, and made anew."""
    given = given_as.known(details, name, GIVEN)
    to_role = given_as.a_choice(given, "to_role", ROLES)
    subject = place.subject
    if "customer" not in given and subject is not None and subject.kind == "customer":
        given["customer"] = subject.id
    customer = given_as.an_id(given, "customer") if to_role == "customer" or "customer" in given else None
    complete: dict[str, Json] = {
        "channel": given_as.a_choice(given, "channel", CHANNELS),
        "template": given_as.a_key(given, "template"),
        "to_role": to_role,
        "customer": customer,
    }
    fields = _fields(given.get("fields", {}))
    to = Address("customer", customer) if customer is not None else Address("account", place.stripe_account)
    return Asked(complete, to, personal={"fields": fields})


def _fields(value: Json) -> dict[str, Json]:
    known = sorted(set(FIELDS) - FILLED_BY_SENDER)
    if not isinstance(value, Mapping):
        raise BadDetails(f"fields: texts by name: {', '.join(known)}.")
    for field, text in value.items():
        if field in FILLED_BY_SENDER:
            raise BadDetails(f"fields: {field} is filled in when it is sent, and kept nowhere.")
        if field not in known:
            raise BadDetails(f"fields: {field[:60]!r} is none; {', '.join(known)} are.")
        if not isinstance(text, str) or len(text) > FIELD_CHARACTERS_MAX or not text.isprintable():
            raise BadDetails(f"fields: {field} is a line of at most {FIELD_CHARACTERS_MAX} characters.")
        if "://" in text:
            raise BadDetails(f"fields: {field} holds an address; only the wording itself may name one.")
    return {field: value[field] for field in sorted(value)}


def see(hands: Hands, asked: Asked) -> Seen:
    message = _written(hands, asked)
    customer = _customer(hands, asked)
    invoice = _invoice(hands, asked)
    material: dict[str, Json] = {
        "template": message.template,
        "wording": _wording(hands, asked),
        "customer": asked.details["customer"],
        "address": _address_hash(hands, asked, customer),
        "invoice": None
        if invoice is None
        else {"id": invoice.id, "status": invoice.status, "amount_remaining": invoice.amount_remaining},
    }
    objects = {"message": message, "invoice": invoice, "mail": hands.mail}
    shown: dict[str, Json] = {"subject": message.subject, "body": message.body}
    return Seen(asked.target, material, customer.id if customer else None, objects, personal=shown)


def describe(asked: Asked, place: Place) -> str:
    to = asked.details["customer"] if asked.details["to_role"] == "customer" else asked.details["to_role"]
    return given_as.button(
        f"Write “{asked.details['template']}” to {to} by {asked.details['channel']}", place
    )


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    message: Message = seen.objects["message"]
    if seen.objects["mail"] is None:
        return "No mail server is configured; name one in [notify.email]."
    if seen.material["address"] is None:
        return f"There is no e-mail address for {asked.target.id}."
    left_open = open_fields(message.subject) | open_fields(message.body)
    if unfilled := sorted(left_open - FILLED_BY_SENDER):
        return f"The wording “{message.template}” needs {', '.join(unfilled)} among its fields."
    if asked.details["to_role"] != "customer" and left_open:
        return f"The wording “{message.template}” is for customers: it names {', '.join(sorted(left_open))}."
    if "link" in left_open and seen.objects["invoice"] is None:
        return "The wording has a link to pay, and its field “invoice” names no open invoice of the customer."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    invoice: Invoice | None = seen.objects["invoice"]
    return {
        **{field: seen.material[field] for field in ("template", "wording", "address", "customer")},
        "invoice": invoice.id if invoice is not None else None,
    }


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    assert hands.mail is not None, "the preflight refuses a message without a mail server"
    message = _written(hands, asked)
    customer, personal = _personal(hands, asked)
    if (
        _wording(hands, asked) != request["wording"]
        or _address_hash(hands, asked, customer) != request["address"]
    ):
        raise Refused("The wording or the address has changed meanwhile. Nothing was sent.", code="outdated")
    filled = {"name": _one_line(personal.get("name")), "link": _link(hands, request["invoice"])}
    to = (str(personal["email"]),) if asked.details["to_role"] == "customer" else tuple(hands.mail.finance)
    sent = hands.mail.send(to, render(message.subject, filled), render(message.body, filled), key=key)
    return Done(sent)


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    return Trace.UNSURE


def _written(hands: Hands, asked: Asked) -> Message:
    return _filled(hands, asked, cast(Mapping[str, str], asked.personal["fields"]))


def _wording(hands: Hands, asked: Asked) -> str:
    """Which wording it is, word for word, without what is filled in."""
    unfilled = _filled(hands, asked, {})
    return digest([unfilled.subject, unfilled.body]).hex()


def _filled(hands: Hands, asked: Asked, fields: Mapping[str, str]) -> Message:
    template, channel = str(asked.details["template"]), str(asked.details["channel"])
    approved = {*hands.templates, *BUILT_IN}
    if not {template, f"{template}_{channel}"} & approved:
        raise BadDetails(f"template: there is no approved wording “{template}”.")
    return write(Policy(templates=hands.templates), template, channel, fields)


def _customer(hands: Hands, asked: Asked) -> Customer | None:
    return _personal(hands, asked)[0] if asked.details["customer"] is not None else None


def _personal(hands: Hands, asked: Asked) -> tuple[Customer | None, Mapping[str, Any]]:
    """The customer, with what only the moment of sending may know."""
    if asked.details["customer"] is None:
        return None, {}
    found, personal = hands.reader.with_personal(asked.target, ["email", "name"], purpose=LIVE)
    if not isinstance(found, Customer):
        raise BadDetails(missing("customer", asked.target.id, found))
    return found, personal


def _address_hash(hands: Hands, asked: Asked, customer: Customer | None) -> str | None:
    if asked.details["to_role"] == "customer":
        return str(customer.email) if customer is not None and customer.email else None
    if asked.details["to_role"] == "finance" and hands.mail is not None and hands.mail.finance:
        return hashlib.sha256("\n".join(hands.mail.finance).encode()).hexdigest()
    return None


def _invoice(hands: Hands, asked: Asked) -> Invoice | None:
    """What the message is about, named by its id or by the number that customers know."""
    named = cast(Mapping[str, str], asked.personal["fields"]).get("invoice")
    if named is None or asked.details["customer"] is None:
        return None
    owed: list[Invoice] = all_of(hands.reader, "invoices", customer=asked.details["customer"], status="open")
    return next((each for each in owed if named in (each.id, each.number)), None)


def _link(hands: Hands, invoice: Json) -> str:
    if invoice is None:
        return ""
    address = Address("invoice", str(invoice))
    _, personal = hands.reader.with_personal(address, ["hosted_invoice_url"], purpose=LIVE)
    link = personal.get("hosted_invoice_url")
    if not isinstance(link, str) or not link.startswith("https://"):
        raise Refused(f"Stripe has no page on which {invoice} could be paid. Nothing was sent.", code="link")
    return link


def _one_line(value: Any) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text[:FIELD_CHARACTERS_MAX]
