"""Opening letters: the signature over the raw bytes first, then the address inside, and nothing else of it."""

from dataclasses import dataclass
from datetime import datetime

from msgspec import DecodeError, json

from accounts.stripe.resources import EVENTS
from accounts.stripe.shapes import Event
from accounts.stripe.signatures import Verdict, verify
from daemon.envelope import NotKept, account_of, kept
from daemon.receive import refusals
from daemon.receive.doors import Door, Foreign
from daemon.receive.refusals import Refused
from daemon.store.inbox import Received
from metrics.catalog import events_unused
from metrics.exemplars import exemplar

USED = frozenset(event.name for event in EVENTS)

_decode = json.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class Letter:
    """A request as it came: nobody has looked inside."""

    door: Door
    signature: bytes | None
    body: bytes


def opened(letter: Letter, now: datetime) -> Received:
    """What is kept of the event. Raises Refused where the signature or the body is not right."""
    body, door = letter.body, letter.door
    header = None if letter.signature is None else letter.signature.decode("latin-1")
    verdict = verify(body, header, door.secrets, int(now.timestamp()))
    if verdict is not Verdict.VALID:
        raise Refused(refusals.BAD_SIGNATURE[verdict])
    try:
        body.isascii() or body.decode()
    except UnicodeDecodeError:
        raise Refused(refusals.NOT_UTF8) from None
    try:
        event = _decode(body)
        account, foreign = door.lands(account_of(event), event.livemode)
        received = kept(event, account, "webhook", is_foreign=foreign is not None)
    except (DecodeError, NotKept, RecursionError):
        raise Refused(refusals.NOT_AN_EVENT) from None
    _count_unused(received, foreign)
    return received


def _count_unused(event: Received, foreign: Foreign | None) -> None:
    if foreign is not None:
        reason = foreign.value
    elif not event.object_id:
        reason = "no_object"
    elif event.type.removeprefix("v1.") not in USED:
        reason = "unknown_type"
    else:
        return
    events_unused.labels(reason).inc(exemplar=exemplar("event_id", event.event_id))
