"""Corrects a customer's record in the CRM: the fields that reconciling compares, and no others."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from accounts.errors import Refused
from accounts.facts import Address, Record
from accounts.sources import values
from daemon.actions import details as given_as
from daemon.actions.reading import justification
from daemon.actions.record import crm_of, still_recorded, the_record
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

name: Final = "crm_update"
where: Final = "crm"
repeatable: Final = False
verifiable: Final = True
caller_only: Final = False

# What may be written, and how it is read back: the same text must mean the same on both ways.
WRITTEN_AS: Final[Mapping[str, Callable[[object], object]]] = {
    "stripe_customer": values.stripe_id,
    "stripe_account": values.stripe_id,
    "segment": values.text,
    "status": values.text,
    "plan": values.text,
    "mrr": values.amount,
    "currency": values.currency,
    "renewal": values.moment,
}


def read(details: Mapping[str, Json], place: Place) -> Asked:
    given = given_as.known(details, name, ("key", "fields"))
    key, fields = given_as.a_key(given, "key"), given.get("fields")
    if not isinstance(fields, Mapping) or not fields:
        raise BadDetails(f"fields: what is to be written, by our names: {', '.join(WRITTEN_AS)}.")
    for field, value in fields.items():
        if field not in WRITTEN_AS:
            raise BadDetails(f"fields: {field[:60]!r} is not written; {', '.join(WRITTEN_AS)} are.")
        try:
            meant = WRITTEN_AS[field](value)
        except ValueError as problem:
            raise BadDetails(f"fields: {field} is {problem}.") from None
        if meant is None:
            raise BadDetails(f"fields: {field}: a text or a number; what is there is not taken away.")
    return Asked(
        {"key": key, "fields": {field: fields[field] for field in sorted(fields)}}, Address("record", key)
    )


def see(hands: Hands, asked: Asked) -> Seen:
    record = the_record(hands, asked.target.id)
    customer = record.stripe_customer
    ours = customer is not None and record.stripe_account in (None, hands.reader.stripe_account)
    material: dict[str, Json] = {
        "key": record.key,
        "before": _row(record),
        "stripe": justification(hands.reader, customer) if customer is not None and ours else None,
    }
    return Seen(asked.target, material, customer if ours else None, {"record": record, "crm": crm_of(hands)})


def describe(asked: Asked, place: Place) -> str:
    wanted = ", ".join(f"{field} {value}" for field, value in _fields(asked).items())
    return given_as.button(f"Set {wanted} in the CRM's record {asked.target.id}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    if not seen.objects["crm"].updates:
        return "The CRM takes no changes from us; configure write.update."
    if not _changes(seen.objects["record"], asked):
        return f"The record {asked.target.id} is so already."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    record: Record = seen.objects["record"]
    return {"update": record.key, "before": _row(record), "values": _changes(record, asked)}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    record = still_recorded(hands, asked.target.id)
    if record is None or _row(record) != request["before"]:
        raise Refused(
            f"The record {asked.target.id} has changed meanwhile. Nothing was written.", code="outdated"
        )
    changes = cast(Mapping[str, Json], request["values"])
    crm_of(hands).update(record, {field: WRITTEN_AS[field](value) for field, value in changes.items()})
    return Done(record.key)


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    record = still_recorded(hands, asked.target.id)
    if record is None:
        return Trace.UNSURE
    if not _changes(record, asked):
        return Done(record.key, replayed=True)
    return Trace.ABSENT if _row(record) == sent.request["before"] else Trace.UNSURE


def _fields(asked: Asked) -> Mapping[str, Json]:
    return cast(Mapping[str, Json], asked.details["fields"])


def _changes(record: Record, asked: Asked) -> dict[str, Json]:
    return {
        field: value
        for field, value in _fields(asked).items()
        if getattr(record, field) != WRITTEN_AS[field](value)
    }


def _row(record: Record) -> dict[str, Json]:
    """What may be written, as it is, and when it was last changed. Whose it is and what it is called is personal."""
    return {field: _plain(getattr(record, field)) for field in (*WRITTEN_AS, "updated")}


def _plain(value: object) -> str | None:
    match value:
        case None | str():
            return value
        case Decimal():
            return f"{value.normalize():f}"
        case datetime():
            return value.isoformat()
    raise AssertionError(f"a record holds a {type(value).__name__}")
