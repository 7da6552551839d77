"""Deliver: sends what stands in the outbox, again and again for a day, and then sets it aside for a person.

One run is for one receiver, so that whoever is slow or silent delays nobody else, and no decision: those were committed
before anything is sent. A message keeps its id through all its tries; every try is signed anew, and where it may go is
asked anew. What a crash interrupts is sent again: a receiver may hear one message twice, and knows it by its id.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlmodel import Session

from accounts.callbacks import (
    Blocked,
    Caller,
    NotTaken,
    cheqpoint_signature,
    is_a_secret,
    standard_headers,
)
from accounts.configuration import SecretUnreadable
from accounts.errors import Refused, Uncertain
from accounts.mail import Mailer
from accounts.secret import Secret
from daemon.core.canonical import Json, canonical
from daemon.store import callback_secrets, journal, outbox
from daemon.store.db import Store
from daemon.store.journal import Note
from daemon.store.outbox import CALLBACK, EMAIL, WEBHOOK, Parcel
from metrics.catalog import deliveries
from metrics.exemplars import exemplar

log = structlog.get_logger(__name__)

DELIVER: Final = "deliver"  # the kind of wake; its keys are receivers
AT_ONCE: Final = 16  # receivers; one that is slow holds a thread for half a minute
A_RUN: Final = 50  # messages; the rest is due at the next scan, after others had their turn
# After the first, second … try; together less than a day, and the eighth is the last.
PAUSES: Final = tuple(timedelta(seconds=each) for each in (10, 60, 300, 1_800, 7_200, 21_600, 54_000))
TRIES_MAX: Final = len(PAUSES) + 1
JITTER: Final = 0.1  # of a pause, less: receivers that come back are not met by all of it at once
BY_US: Final = "deliver"
AGENT: Final = "reconciled"


@dataclass(frozen=True, slots=True)
class Failure:
    sentence: str
    blocked: bool = False
    for_good: bool = False  # nobody knows whether it arrived, and only a person sends it again


@dataclass(frozen=True, slots=True)
class Hook:
    """A program that is told of cases, as [notify.webhook] has it."""

    url: str
    secrets: Callable[[], Sequence[Secret]]  # read anew for each message; raises SecretUnreadable
    caller: Caller


class Deliver:
    def __init__(
        self,
        store: Store,
        *,
        secret_key: bytes,
        caller: Caller,
        mailer: Mailer | None,
        hook: Hook | None = None,
        now: Callable[[], datetime],
        stop: threading.Event,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._secret_key = secret_key
        self._caller = caller
        self._mailer = mailer
        self._hook = hook
        self._now = now
        self._stop = stop
        self._chance = chance

    def due(self, session: Session, now: datetime) -> Iterable[tuple[str, str]]:
        return [(DELIVER, receiver) for receiver in outbox.receivers_due(session, now)]

    def run(self, receiver: str) -> None:
        """Sends what is due to one receiver. No transaction is open meanwhile."""
        for _ in range(A_RUN):
            if self._stop.is_set():
                return
            with self._store.transaction() as session:
                parcel = outbox.take(session, receiver, self._now())
            if parcel is None:
                return
            failure = self._send(parcel)
            with self._store.transaction() as session:
                self._conclude(session, parcel, failure)

    def _send(self, parcel: Parcel) -> Failure | None:
        match parcel.channel:
            case channel if channel == CALLBACK:
                return self._call(parcel)
            case channel if channel == EMAIL and self._mailer is not None:
                return self._mail(parcel, self._mailer)
            case channel if channel == WEBHOOK and self._hook is not None:
                return self._notify(parcel, self._hook)
        return Failure(f"[notify.{parcel.channel}] is not configured any more.")

    def _call(self, parcel: Parcel) -> Failure | None:
        assert parcel.address is not None, "a callback has an address"
        now = self._now()
        with self._store.reading() as session:
            secrets = callback_secrets.holding(session, self._secret_key, parcel.token_id or "", now)
        if not secrets:
            return Failure("The token that asked for it is gone, and with it the secret that signs.")
        body, more = canonical(parcel.body), {}
        if "approvalId" in parcel.body:  # asked for at the gate whose clients look for this one
            more["x-cheqpoint-signature"] = cheqpoint_signature(secrets[0], body)
        return _posted(self._caller, parcel.address, {**_signed(parcel, secrets, now, body), **more}, body)

    def _notify(self, parcel: Parcel, hook: Hook) -> Failure | None:
        body = canonical(parcel.body)
        try:
            secrets = hook.secrets()
        except SecretUnreadable as unreadable:
            return Failure(f"[notify.webhook] secrets: {unreadable}.")
        if not all(map(is_a_secret, secrets)):
            return Failure("[notify.webhook] secrets: each is whsec_ and 24 random bytes or more in base64.")
        return _posted(hook.caller, hook.url, _signed(parcel, secrets, self._now(), body), body)

    def _mail(self, parcel: Parcel, mailer: Mailer) -> Failure | None:
        subject, text = str(parcel.body["subject"]), str(parcel.body["text"])
        try:
            mailer.send(mailer.finance, subject, text, key=parcel.id)
        except Refused as problem:
            return Failure(str(problem))
        except Uncertain as problem:
            return Failure(str(problem), for_good=not problem.nothing_done)
        return None

    def _conclude(self, session: Session, parcel: Parcel, failure: Failure | None) -> None:
        now, this = self._now(), exemplar("message_id", parcel.id)
        if failure is None:
            outbox.delivered(session, parcel, now)
            deliveries.labels(parcel.channel, "delivered").inc(exemplar=this)
            return
        due = None if failure.for_good else self._due(parcel.tries, now)
        outbox.failed(session, parcel, failure.sentence, due)
        said: dict[str, Json] = {
            "id": parcel.id,
            "about": parcel.topic[1],
            "tries": parcel.tries,
            "because": failure.sentence,
        }
        if due is None:
            deliveries.labels(parcel.channel, "dead").inc(exemplar=this)
            log.error("delivery_given_up", channel=parcel.channel, receiver=parcel.receiver, **said)
        else:
            outcome = "blocked" if failure.blocked else "failed"
            deliveries.labels(parcel.channel, outcome).inc(exemplar=this)
            log.warning("delivery_failed", channel=parcel.channel, receiver=parcel.receiver, **said)
        if failure.blocked and parcel.error != failure.sentence:  # once, and again if the reason is another
            note = Note("callback_blocked", BY_US, said, account=parcel.account, subject=parcel.topic)
            journal.append(session, note, now)

    def _due(self, tries: int, now: datetime) -> datetime | None:
        if tries >= TRIES_MAX:
            return None
        return now + PAUSES[tries - 1] * (1 - JITTER * self._chance())


def _signed(parcel: Parcel, secrets: Sequence[Secret], now: datetime, body: bytes) -> dict[str, str]:
    signed = standard_headers(secrets, parcel.id, now, body)
    return {"content-type": "application/json", "user-agent": AGENT, **signed}


def _posted(caller: Caller, address: str, headers: Mapping[str, str], body: bytes) -> Failure | None:
    try:
        caller.post(address, headers, body)
    except Blocked as blocked:
        return Failure(str(blocked), blocked=True)
    except NotTaken as problem:
        return Failure(str(problem))
    return None
