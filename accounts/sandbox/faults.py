"""What can be made to go wrong on one pretend Stripe account: dials, all off until an incident turns them."""

import sys
from dataclasses import dataclass, fields
from typing import Literal

ALWAYS = sys.maxsize  # for the dials that count answers: as many as come

Outage = Literal["", "drop", "503", "html"]


@dataclass(slots=True)
class Faults:
    # Every request.
    outage: Outage = ""  # the connection is dropped, a 503 without an error, or a proxy's HTML page
    latency_s: float = 0.0  # how long each answer takes; writes hold their idempotency key for as long
    storm_reason: str = ""  # a 429 storm with this Stripe-Rate-Limited-Reason
    storm_share: float = 1.0  # the share of requests that the storm hits
    others_share: float = 0.0  # the share of every rate limit that somebody else's traffic uses

    # The next n answers.
    malformed_answers: int = 0  # 200 with something that is not JSON
    truncated_answers: int = 0  # the connection closes in the middle of the body
    gigantic_answers: int = 0  # a body of `gigantic_bytes`
    gigantic_bytes: int = 100 * 1024 * 1024

    # The next n writes.
    lock_timeouts: int = 0  # 429 `lock_timeout`, without reason and without request id, nothing done
    writes_lost: int = 0  # the connection closes before anything is done or remembered
    answers_lost: int = 0  # the write is done, then the connection closes
    errors_after_write: int = 0  # the write is done, then a 500 is answered, stored and replayed
    errors_before_write: int = 0  # a 500 is answered and stored, nothing is done

    # Events.
    events_visible_after_s: int = 0  # how long a new event stays out of lists
    events_delayed_every: int = 1  # 1: every new event; 2: every other one, so that newer ones show first

    # Refunds.
    refunds_pending_s: int = 0  # how long a new refund stays pending; 0: it succeeds at once
    refunds_fail: bool = False  # a pending refund fails when its time is up

    def spend(self, dial: str) -> bool:
        """Whether a counting dial is on; uses up one of its answers."""
        left: int = getattr(self, dial)
        if left:
            setattr(self, dial, left - 1)
        return left > 0

    def clear(self) -> None:
        fresh = Faults()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))
