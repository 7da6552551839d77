"""The writer: a thread of its own that opens whatever arrived during its last commit, and commits it at once.

There is no timer: a letter that comes alone is committed at once, and in a storm commits grow by themselves. What is
answered is known only after the commit. Signatures are checked here too, since what checks them lets other threads
run: in the midst of answering requests each check would cost three times as much.
"""

import queue
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import structlog

from accounts.stripe.resources import class_of
from daemon.asgi import Answer, answer
from daemon.receive import refusals
from daemon.receive.opening import Letter, opened
from daemon.receive.refusals import Refusal, Refused
from daemon.store import intake
from daemon.store.db import Store
from daemon.store.errors import Locked, Unavailable
from daemon.store.inbox import Received
from metrics.catalog import EVENT_CLASSES, events_duplicate, events_received
from metrics.exemplars import exemplar

log = structlog.get_logger(__name__)

GROUP_MAX = 512  # a commit of so many takes some 30 ms; the first of them should not wait long for the last

NEW = answer(200, b'{"received":true,"duplicate":false}')
KNOWN = answer(200, b'{"received":true,"duplicate":true}')

RECEIVED = {each: events_received.labels("webhook", each) for each in EVENT_CLASSES}
DUPLICATE = events_duplicate.labels("webhook")

Ticket = TypeVar("Ticket")  # by which its owner knows who waits


@dataclass(frozen=True, slots=True)
class Told(Generic[Ticket]):
    """What became of a group."""

    answers: Sequence[tuple[Ticket, Answer]]
    marked: frozenset[str]  # the accounts in which there is something new to look at


class Writer(Generic[Ticket]):
    def __init__(
        self, store: Store, now: Callable[[], datetime], tell: Callable[[Told[Ticket]], None]
    ) -> None:
        """`tell` is called on the writer's thread; it should only pass on what it is told."""
        self._line = store.line()
        self._now = now
        self._tell = tell
        self._waiting: queue.SimpleQueue[tuple[Letter, Ticket] | None] = queue.SimpleQueue()

    def put(self, letter: Letter, ticket: Ticket) -> None:
        self._waiting.put((letter, ticket))

    def stop(self) -> None:
        """Ends `run` after what was put in before."""
        self._waiting.put(None)

    def run(self) -> None:
        goes_on = True
        while goes_on:
            group: list[tuple[Letter, Ticket]] = []
            while goes_on and len(group) < GROUP_MAX and (not group or not self._waiting.empty()):
                waiting = self._waiting.get()
                if waiting is None:
                    goes_on = False
                else:
                    group.append(waiting)
            if group:
                self._write(group)
        self._line.close()

    def _write(self, group: Sequence[tuple[Letter, Ticket]]) -> None:
        now = self._now()
        tickets: list[Ticket] = []
        events: list[Received] = []
        answers: list[tuple[Ticket, Answer]] = []
        for letter, ticket in group:
            event = _opened(letter, now)
            if isinstance(event, Received):
                events.append(event)
                tickets.append(ticket)
            else:
                answers.append((ticket, event.counted()))
        fates = self._commit(events, now)
        marked: set[str] = set()
        for event, new in zip(events, fates, strict=True):
            if new and event.account not in marked and any(intake.marks_of(event)):
                marked.add(event.account)
        stored = zip(tickets, events, fates, strict=True)
        answers += [(ticket, _answer(event, new)) for ticket, event, new in stored]
        self._tell(Told(answers, frozenset(marked)))
        _count(events, fates)

    def _commit(self, events: Sequence[Received], now: datetime) -> Sequence[bool | None]:
        """Whether each was new; None for those that could not be stored."""
        try:
            return intake.commit(self._line, events, now)
        except Exception:
            # Whatever one row cannot do, the others have not done it, and must not wait until Stripe sends
            # them again; and this thread has to live on in any case.
            log.exception("events_not_stored_together", events=len(events))
        fates: list[bool | None] = []
        for event in events:
            try:
                fates += intake.commit(self._line, [event], now)
            except (Unavailable, Locked) as trouble:
                # It is the database and no row: to try each would keep all of them waiting for nothing.
                log.warning("events_not_stored", events=len(events) - len(fates), because=str(trouble))
                return [*fates, *[None] * (len(events) - len(fates))]
            except Exception:
                log.exception("event_not_stored", account=event.account, event_id=event.event_id)
                fates.append(None)
        return fates


def _opened(letter: Letter, now: datetime) -> Received | Refusal:
    try:
        return opened(letter, now)
    except Refused as problem:
        return problem.refusal
    except Exception:
        # A fault of ours that one letter brings out: the others are stored, and this one will come again.
        log.exception("webhook_not_opened", endpoint=letter.door.name)
        return refusals.NOT_STORED


def _answer(event: Received, new: bool | None) -> Answer:
    if new is None:
        return refusals.NOT_STORED.counted(event.event_id)
    return NEW if new else KNOWN


def _count(events: Sequence[Received], fates: Sequence[bool | None]) -> None:
    stored = [(event, new) for event, new in zip(events, fates, strict=True) if new is not None]
    newest = {class_of(event.type): event.event_id for event, _ in stored}
    for event_class, count in Counter(class_of(event.type) for event, _ in stored).items():
        RECEIVED[event_class].inc(count, exemplar("event_id", newest[event_class]))
    known = [event.event_id for event, new in stored if not new]
    if known:
        DUPLICATE.inc(len(known), exemplar("event_id", known[-1]))
