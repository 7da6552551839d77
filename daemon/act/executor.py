"""The executor: brings what is approved to one effect, or to a sentence that says why there is none.

    carry_out   claim → look again → still as approved? → intent, committed → call → conclusion
    recover     an attempt that nobody works on: look for its effect, and only then perhaps send the same again

No transaction is open during a call. An executor may die between any two lines, and two may run at once: what counts
is what was committed, and whoever comes next goes on from there.
"""

from collections.abc import Callable, Mapping
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Row
from sqlmodel import Session
from structlog.contextvars import bind_contextvars

from accounts.errors import ObservationError, Unauthorized, WrongAccount
from daemon.act import calling, steps
from daemon.act.claim import Claim, Hopeless, claim_of, hash_of, key_of, new_token
from daemon.act.grounds import Grounds
from daemon.act.restoring import settle_copy
from daemon.actions import refund
from daemon.actions.shape import BadDetails, Done, Hands, Seen
from daemon.core.canonical import Json, digest
from daemon.core.model import Substate
from daemon.core.model.desk import UNSETTLED
from daemon.core.protocol import (
    Answer,
    Sight,
    Step,
    after_call,
    after_look,
    executable,
    may_be_done_anew,
    since,
    to,
)
from daemon.engine import Engine
from daemon.loop import LOOK
from daemon.store import attempts, proposals
from daemon.store.db import Store
from daemon.store.errors import Conflict
from daemon.store.personal import Seal
from metrics.catalog import actions, approvals, invariant_violations
from metrics.exemplars import exemplar

log = structlog.get_logger(__name__)

ACT: Final = "act"  # the kind of wake
LEASE: Final = timedelta(minutes=6)  # the slowest re-read, and a call with Stripe's whole patience, take less
CALL_MAX: Final = timedelta(minutes=2)  # nothing is sent that might still be under way when the lease is over


class Executor:
    def __init__(
        self,
        store: Store,
        grounds: Grounds,
        seal: Seal,
        hands: Callable[[str, bool], Hands],
        doubt: Callable[[str, ObservationError], None],
        engine: Engine,
        now: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`hands` opens an account, with the act_key where the second is true; `changed` wakes who waits to hear."""
        self._store = store
        self._grounds = grounds
        self._seal = seal
        self._hands = hands
        self._doubt = doubt
        self._engine = engine
        self._now = now
        self._changed = changed
        self._begun = False

    def begin(self) -> None:
        """Before anything is done: whether this database was a copy, from which nothing may happen by itself."""
        if not self._begun:
            settle_copy(self._store, self._seal, self._now())
            self._begun = True

    def act(self, account: str) -> None:
        """Everything that is due in an account. One that fails by itself does not keep the others waiting."""
        self.begin()
        self._expire(account)
        with self._store.reading() as session:
            left = attempts.left(session, account, self._now())
            ready = [
                row
                for row in attempts.ready(session, account, self._now())
                if self._grounds.waits(session, row) is None
            ]
        for id_ in left:
            self._each(partial(self.recover, id_), account, id_)
        for row in ready:
            self._each(partial(self.carry_out, row), account, row.id)
        if left or ready:
            self._engine.wake(LOOK, account)

    def carry_out(self, row: Row[Any]) -> None:
        claim = self._claim(row)
        if claim is None:
            return
        try:
            hands, seen = self._look(claim)
        except Hopeless as hopeless:
            self._conclude(claim, Step.FAIL, why=str(hopeless), counted="failed")
            return
        except ObservationError as problem:
            self._put_back(claim, str(problem))
            return
        if not claim.holds_for(seen):
            self._outdate(claim, seen)
            return
        why_not = claim.action.preflight(claim.details(), seen, self._now())
        if why_not is not None:
            self._conclude(claim, Step.FAIL, why=why_not, counted="refused")
            return
        request = claim.action.request(claim.details(), seen, claim.proposal.id)
        intent = self._intend(claim, request)
        if intent is not None:
            self._call(intent, hands, first=True)

    def recover(self, id_: str) -> None:
        """Goes on with an attempt whose executor is gone, or that waits for a better time."""
        claim = self._take_over(id_)
        if claim is None:
            return
        if claim.attempt.state == "claimed":
            self._put_back(claim, "The executor that had claimed it is gone, and had sent nothing.")
            return
        try:
            sight, done = calling.effect_of(claim, self._hands(claim.account, False))
        except ObservationError as problem:
            self._wait(claim, str(problem))
            return
        ago = self._now() - claim.sent.sent_at
        hands = (
            self._still_approved(claim) if claim.attempt.state == "sent" and sight is Sight.ABSENT else None
        )
        step = after_look(
            sight,
            claim.attempt.state,
            repeatable=claim.action.repeatable,
            sent_ago=ago,
            approved=hands is not None,
        )
        match step:
            case None:
                last = self._now() - (claim.attempt.last_sent_at or claim.sent.sent_at)
                anew = may_be_done_anew(last, stored=claim.attempt.replayed)
                self._wait(claim, claim.attempt.error, anew=anew)
            case Step.SEND:
                assert hands is not None, "what is sent again was approved"
                intent = self._intend(claim, claim.attempt.request)
                if intent is not None:
                    self._call(intent, hands, first=False)
            case Step.LOSE:
                why = (
                    "Its answer was lost, and there is no effect to be seen; a person may have it done anew."
                )
                self._conclude(claim, step, why=why, counted="unknown")
            case _:
                self._done(claim, step, done, recovered=True)

    def _claim(self, due: Row[Any]) -> Claim | None:
        """Compare and set; nothing where it may not be done now, or somebody else has it, or its object."""
        now = self._now()
        try:
            with self._store.transaction() as session:
                proposals.hold(session, due.case_id)
                row = steps.current(session, due)
                if not executable(row.state, row.executable_at, row.expires_at, now):
                    return None
                if self._grounds.waits(session, row, claiming=True) is not None:
                    return None
                void = self._grounds.void(session, row, now)
                if void is not None:
                    steps.revoke(session, row, steps.subject_of(session, row), now, why=void)
                    return None
                claim = self._claimed(session, row, now)
        except Conflict:
            return None  # somebody claimed the same object at this very moment
        if claim is not None:
            _name(claim)
        self._changed()
        return claim

    def _claimed(self, session: Session, row: Row[Any], now: datetime) -> Claim | None:
        key, token = key_of(row), new_token()
        attempt = attempts.claim(
            session, row, id_=f"att_{new_token()}", key=key, token=token, now=now, until=now + LEASE
        )
        if attempt is None:
            return None
        moved = proposals.move(
            session, row.id, row.version, since=since(Step.CLAIM), to=to(Step.CLAIM), now=now
        )
        assert moved, "it was held, and approved"
        claim = claim_of(session, self._seal, attempt)
        note: dict[str, Json] = {"key": key, "epoch": row.epoch, "state_hash": row.state_hash}
        steps.tell(session, Step.CLAIM, row, claim.subject, now, note=note)
        return claim

    def _take_over(self, id_: str) -> Claim | None:
        now = self._now()
        with self._store.transaction() as session:
            attempt = attempts.take_over(session, id_, token=new_token(), now=now, until=now + LEASE)
            claim = claim_of(session, self._seal, attempt) if attempt is not None else None
        if claim is not None:
            _name(claim)
        return claim

    def _look(self, claim: Claim) -> tuple[Hands, Seen]:
        """The world as it is now, read with the key that will change it."""
        foreign = self._grounds.foreign(claim.proposal)
        if foreign is not None:
            invariant_violations.labels("cross_account_key").inc()
            raise Hopeless(foreign)
        if isinstance(claim.asked, str):
            raise Hopeless(claim.asked)
        try:
            hands = self._hands(claim.account, True)
            return hands, claim.action.see(hands, claim.asked)
        except (BadDetails, WrongAccount) as problem:
            raise Hopeless(f"{problem} Nothing was sent.") from None
        except Unauthorized as problem:
            self._doubt(claim.account, problem)
            raise

    def _intend(self, claim: Claim, request: Mapping[str, Json]) -> Claim | None:
        """The intent, committed before the call: key, exact parameters, and on whose word. None: do not call."""
        now, again = self._now(), claim.attempt.state == "sent"
        with self._store.transaction() as session:
            proposals.hold(session, claim.proposal.case_id)
            row = steps.current(session, claim.proposal)
            why = self._grounds.waits(session, row, claiming=True) or self._grounds.void(session, row, now)
            if why is not None or row.expires_at <= now:
                why = why or "Its approval has come to its end."
                if again:
                    attempts.note(session, claim.id, claim.token, claimed_until=now + steps.pause(0))
                else:
                    steps.take(
                        session, Step.PUT_BACK, claim, now, why=why, claimed_until=now + steps.pause(0)
                    )
                return None
            note: dict[str, Json] = {
                "request": request,
                "again": again,
                "state_hash": row.state_hash,
                "authority": steps.authority(session, row),
            }
            ours = steps.take(
                session, Step.SEND, claim, now, note=note,
                request=request,
                request_digest=digest(request).hex(),
                sent_at=claim.attempt.sent_at or now,
                last_sent_at=now,
                claimed_until=now + LEASE,
                absent_at=None,
            )  # fmt: skip
            if not ours:
                return None
            attempt = attempts.one(session, claim.id)
            assert attempt is not None, "attempts are kept for good"
            return claim_of(session, self._seal, attempt)

    def _call(self, claim: Claim, hands: Hands, *, first: bool) -> None:
        if self._now() + CALL_MAX > claim.until:
            # Whoever comes after us may believe by then that nothing is under way.
            log.warning("call_not_made", **claim.named())
            return
        answer, done, why, wait_s, request_id = calling.answer_of(claim, hands)
        step = after_call(answer, first=first)
        told: dict[str, Any] = {"note": {"request_id": request_id}, "request_id": request_id}
        match step:
            case None:
                self._wait(claim, why, at_least_s=wait_s)
            case Step.REBUFF:
                pause = steps.pause(claim.attempt.tries, wait_s)
                self._conclude(
                    claim, step, why=why, counted=None, **told,
                    tries=claim.attempt.tries + 1, claimed_until=self._now() + pause, sent_at=None,
                )  # fmt: skip
            case Step.LOSE:
                self._conclude(
                    claim, step, why=why, counted="unknown", **told,
                    claimed_until=self._now(), replayed=answer is Answer.STORED,
                )  # fmt: skip
            case Step.FAIL:
                self._conclude(claim, step, why=why, counted="failed", **told)
            case _:
                self._done(claim, step, done, recovered=False)

    def _still_approved(self, claim: Claim) -> Hands | None:
        """Hands to send the same again with, where everything is as it was when it was sent first."""
        now = self._now()
        with self._store.transaction() as session:
            row = steps.current(session, claim.proposal)
            if (
                row.expires_at <= now
                or self._grounds.waits(session, row)
                or self._grounds.void(session, row, now)
            ):
                return None
        try:
            hands, seen = self._look(claim)
        except (Hopeless, ObservationError):
            return None
        whole = claim.holds_for(seen) and claim.action.preflight(claim.details(), seen, self._now()) is None
        return hands if whole else None

    def _done(self, claim: Claim, step: Step, done: Done | None, *, recovered: bool) -> None:
        assert done is not None, "what is done has an id"
        step = Step.FAIL if done.came_to_nothing else step
        why = f"{done.object_id} was made, and came to nothing." if done.came_to_nothing else None
        unsettled = claim.action.name == refund.name and done.status in UNSETTLED and step is Step.SUCCEED
        note: dict[str, Json] = {
            "object": done.object_id,
            "status": done.status,
            "request_id": done.request_id,
            "replayed": done.replayed,
            "recovered": recovered,
        }
        self._conclude(
            claim, step, why=why, counted="noop" if done.replayed else "ok" if why is None else "failed",
            anybodys=True, substate=Substate.AWAITING_STRIPE if unsettled else None, note=note,
            object_id=done.object_id, object_status=done.status, request_id=done.request_id, replayed=done.replayed,
        )  # fmt: skip

    def _conclude(
        self, claim: Claim, step: Step, *, why: str | None, counted: str | None, **more: Any
    ) -> None:
        with self._store.transaction() as session:
            ours = steps.take(session, step, claim, self._now(), why=why, **more)
        if not ours:
            log.warning("claim_lost", **claim.named(), step=step.value)
            return
        log.info("attempt_moved", **claim.named(), step=step.value, why=why)
        if counted is not None:
            answered = exemplar("request_id", more.get("request_id"))
            actions.labels(claim.proposal.action, counted).inc(exemplar=answered)
        self._changed()

    def _outdate(self, claim: Claim, seen: Seen) -> None:
        """The world is another than was approved for: it goes back, with the difference."""
        difference = steps.difference_of(claim.proposal.snapshot, seen.material)
        why = f"Since it was approved, this has changed: {', '.join(difference) or 'its target'}."
        now = self._now()
        with self._store.transaction() as session:
            proposals.hold(session, claim.proposal.case_id)
            if not attempts.move(session, claim.id, claim.token, Step.OUTDATE, now, error=why):
                return
            steps.outdate(
                session, claim.proposal, claim.subject, now, why=why, difference=difference,
                snapshot=seen.material, state_hash=hash_of(seen.material),
                target_type=seen.target.type, target_id=seen.target.id,
            )  # fmt: skip
        actions.labels(claim.proposal.action, "noop").inc()
        self._changed()

    def _put_back(self, claim: Claim, why: str) -> None:
        pause = steps.pause(claim.attempt.tries) if claim.attempt.state == "claimed" else timedelta(0)
        self._conclude(
            claim, Step.PUT_BACK, why=why, counted=None,
            tries=claim.attempt.tries + 1, claimed_until=self._now() + pause,
        )  # fmt: skip

    def _wait(
        self, claim: Claim, why: str | None, *, at_least_s: float | None = None, anew: bool = False
    ) -> None:
        """Leaves it as it is for a while, since time or a person may tell more."""
        now = self._now()
        new: dict[str, Any] = {
            "claimed_until": now + steps.pause(claim.attempt.tries, at_least_s),
            "tries": claim.attempt.tries + 1,
            "error": why,
        }
        if claim.attempt.state == "unknown":
            new["absent_at"] = (claim.attempt.absent_at or now) if anew else None
        with self._store.transaction() as session:
            attempts.note(session, claim.id, claim.token, **new)

    def _expire(self, account: str) -> None:
        """What waited too long, for votes or for being done, is over; nothing is ever done late."""
        now = self._now()
        with self._store.reading() as session:
            due = [row for row in proposals.due_to_expire(session, now) if row.account == account]
        for row in due:
            with self._store.transaction() as session:
                case = proposals.hold(session, row.case_id)
                assert case is not None, "a proposal has a case"
                expired = steps.expire(session, row, steps.subject_of(session, row), now)
            if expired:
                approvals.labels(case.kind, "expired", "policy").inc()
                self._changed()

    def _each(self, do: Callable[[], None], account: str, what: str) -> None:
        # In a context of its own: what the log says of one is not said of the next.
        copy_context().run(self._one, do, account, what)

    def _one(self, do: Callable[[], None], account: str, what: str) -> None:
        try:
            do()
        except Exception:
            # Whatever it is, it is this one's affair: its lease runs out, and it is looked at then.
            log.exception("act_failed", account=account, what=what)


def _name(claim: Claim) -> None:
    """On every line of the log from here on, also those of what is called below."""
    subject = f"{claim.subject.kind} {claim.subject.id}"
    bind_contextvars(**claim.named(), attempt=claim.id, subject=subject)
