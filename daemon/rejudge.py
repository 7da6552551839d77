"""Judging everything again: after every complete pass, and after any change of policy, configuration or rules.

It walks over all subjects of an account in the order of their keys, some hundred at a time and between looks, judges
each from what is stored, and remembers how far it has come. Nothing is read, but for what is about to move a case.

While it walks, new cases of rules that another system's outage could flood are only weighed. At the end those that
came in ordinary numbers are looked at, and open; of a rule that wants too many at once they are held back.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session

from accounts.facts import Subject
from daemon import witness
from daemon.canary import LANE, Canary
from daemon.core.diff import Changes, Reason
from daemon.core.judge import Verdict
from daemon.core.model import Kind, Policy
from daemon.core.rules import RULES
from daemon.core.storm import storm
from daemon.engine import Engine
from daemon.judging import Judging
from daemon.loop import LOOK, Loop, again_at, look_again
from daemon.observe.landscape import Cartographer, Land, Landscape, reading_of, sources_of
from daemon.observe.observer import Observer
from daemon.observe.owners import ACCOUNT, CUSTOMER, subject_of
from daemon.store import cases, cursors, held, journal, passes, subjects, worklist
from daemon.store.db import Store
from daemon.store.errors import StoreError
from daemon.store.held import Brake
from daemon.store.marks import next_mark

log = structlog.get_logger(__name__)

SUBJECTS_A_STEP: Final = 500  # a tenth of a second or two: a look that becomes due waits no longer
CURSOR: Final = "rejudge"
PHASES: Final = ("owners", "recorded", "given", "payouts", "rest")
JUDGED: Final = "judged"  # the cursor that tells with which complete sources everything was judged last
BRAKED: Final = frozenset(rule.kind for rule in RULES if rule.braked)


class Lane:
    """What an account does when woken: a batch of looks, then a step of the walk, and so on while there is more."""

    def __init__(self, loop: Loop, rejudging: "Rejudging", canary: Canary, engine: Engine) -> None:
        self._loop = loop
        self._canary = canary
        self._rejudging = rejudging
        self._engine = engine

    def run(self, account: str) -> None:
        if account == LANE:
            self._canary.land()
            return
        more_is_due = self._loop.look_at(account)
        walks_on = self._rejudging.step(account)
        if more_is_due or walks_on:
            self._engine.wake(LOOK, account)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a walk has come."""

    number: int  # grows with every walk
    first: bool  # whether a source is judged with for the first time: then nothing is held back
    phase: str = PHASES[0]
    after: str = ""
    judged: int = 0

    def text(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class _Step:
    """Some subjects of a walk, judged."""

    land: Land
    verdicts: Sequence[Verdict]
    policy: Policy
    progress: Progress
    following: Progress | None  # where the walk goes on; None: it is over
    judged: int  # since the walk began


class Rejudging:
    def __init__(
        self,
        store: Store,
        cartographer: Cartographer,
        observer: Observer,
        judging: Judging,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._cartographer = cartographer
        self._observer = observer
        self._judging = judging
        self._now = now

    def request(self, session: Session, accounts: Sequence[str]) -> None:
        """Everything of these accounts is judged again, from the beginning where that was already under way."""
        landscape = self._cartographer.landscape(session)
        for account in accounts:
            land = landscape.lands[account]
            known = set(json.loads(cursors.position(session, account, JUDGED) or "[]"))
            progress = Progress(next_mark(session), first=bool(set(_complete(land)) - known))
            cursors.move(session, account, CURSOR, progress.text(), self._now())

    def after_pass(self, session: Session, account: str) -> Sequence[str]:
        """To be called in the transaction that ends a pass: gives the accounts in which everything is judged again.

        A pass that makes a source complete in all accounts of a mode sets free what waited for that in any of them.
        """
        landscape = self._cartographer.landscape(session)
        land = landscape.lands[account]
        name = f"whole:{'live' if land.facts.livemode else 'test'}"
        whole = json.dumps(sorted(land.estate.complete))
        concerned = [account]
        if cursors.position(session, passes.EVERYWHERE, name) != whole:
            cursors.move(session, passes.EVERYWHERE, name, whole, self._now())
            concerned = [each.slug for each in land.estate.accounts]
        self.request(session, concerned)
        return concerned

    def under_way(self, session: Session) -> Sequence[str]:
        """The accounts in which a walk has not come to its end; of those that left, it waits for their return."""
        ours = {each.slug for each in self._cartographer.accounts}
        return [account for account in cursors.whose(session, CURSOR) if account in ours]

    def step(self, account: str) -> bool:
        """Judges the next few; whether there are more. Runs in the account's own lane, between looks."""
        with self._store.reading() as session:
            progress = _progress(session, account)
            if progress is None:
                return False
            some, following = batch_after(session, self._cartographer.landscape(session), account, progress)
            land, facts = self._observer.gather(session, account, some)
        policy = self._judging.policy_of(account)
        try:
            verdicts = self._judging.verdicts(land, facts, policy)
        except StoreError:
            raise
        except Exception:
            log.exception("pass_failed", account=account, subjects=len(some))
            verdicts = self._without_the_guilty(land, some, policy)
        changes = self._keep(_Step(land, verdicts, policy, progress, following, progress.judged + len(some)))
        if changes is None:
            return True  # somebody asked for a new walk, or another process has walked on
        witness.judged(verdicts, changes, "pass")
        return following is not None

    def _keep(self, step: "_Step") -> Sequence[Changes] | None:
        """Writes what a step found and how far the walk has come; None where the walk is elsewhere by now.

        Most steps move no case, and do not wait for the disk: what they write is nobody's but the walk's own, and a
        power cut that takes it back takes the cursor back as well. A case that moves is told to people: that stays.
        """
        if step.following is not None:
            with self._store.transaction(bulk=True) as session:
                changes = self._changes(session, step)
                if changes is None:
                    return None
                if not any(each.made for each in changes):
                    self._write(session, step, changes)
                    return changes
        with self._store.transaction() as session:
            changes = self._changes(session, step)
            if changes is not None:
                self._write(session, step, changes)
            return changes

    def _changes(self, session: Session, step: "_Step") -> Sequence[Changes] | None:
        account, progress = step.land.facts.slug, step.progress
        if _progress(session, account) != progress:
            return None
        brake = held.brake(session, account)
        closed = Brake() if progress.first else Brake(BRAKED, brake.released)
        return self._judging.changes(session, step.land, step.verdicts, step.policy, brake=closed)

    def _write(self, session: Session, step: "_Step", changes: Sequence[Changes]) -> None:
        account, now = step.land.facts.slug, self._now()
        notes = cases.apply(session, step.land.facts, step.policy, changes, now)
        held.weigh(session, _withheld(step.verdicts, changes), step.progress.number, now)
        look_again(session, again_at([each.facts.subject for each in step.verdicts], changes, now))
        if step.following is None:
            self._settle(session, step.land, replace(step.progress, judged=step.judged))
            cursors.forget(session, account, CURSOR)
        else:
            cursors.move(session, account, CURSOR, step.following.text(), now)
        journal.append_all(session, notes, now)  # last: it holds the journal's head

    def _settle(self, session: Session, land: Land, progress: Progress) -> None:
        """The walk is over: holds back what is too much, and lets the rest be opened."""
        account, now = land.facts.slug, self._now()
        wanted = held.wanted_by(session, account, progress.number)
        before = {
            kind: {each for each, (state, _) in some.items() if state == "held"}
            for kind, some in wanted.items()
        }
        too_many = storm(
            {kind: set(some) for kind, some in wanted.items()},
            progress.judged,
            first_pass=progress.first,
            held_before=before,
        )
        kept = {each for some in too_many.values() for each in some}
        free = {each: pair for some in wanted.values() for each, pair in some.items() if each not in kept}
        held.hold(session, account, kept)
        # Of a rule that is held, what may open nevertheless is let through by name.
        through = [each for kind in too_many for each in wanted[kind] if each in free]
        held.let_through(session, account, through)
        held.forget_all_but(session, account, kept | set(through))
        worklist.mark(session, {subject for _, subject in free.values()}, now, reading=False)
        if before.keys() | too_many.keys():
            worklist.mark(session, [Subject(account, ACCOUNT, account)], now, reading=False)
        if too_many:
            log.warning(
                "rules_held", account=account, rules={kind: len(some) for kind, some in too_many.items()}
            )
        cursors.move(session, account, JUDGED, json.dumps(sorted(_complete(land))), now)
        cursors.move(session, account, held.JUDGED, str(progress.judged), now)

    def _without_the_guilty(self, land: Land, some: Sequence[Subject], policy: Policy) -> list[Verdict]:
        """Judges one by one; those that fail are left to looks, which set them aside if they go on failing."""
        account = land.facts.slug
        found: list[Verdict] = []
        for subject in some:
            try:
                with self._store.reading() as session:
                    _, facts = self._observer.gather(session, account, [subject])
                found += self._judging.verdicts(land, facts, policy)
            except StoreError:
                raise
            except Exception:
                log.exception("subject_failed", account=account, kind=subject.kind, id=subject.id)
                with self._store.transaction() as session:
                    if subject not in {each.subject for each in worklist.buried(session, account)}:
                        worklist.mark(session, [subject], self._now(), reading=False)
        return found


def _progress(session: Session, account: str) -> Progress | None:
    position = cursors.position(session, account, CURSOR)
    return None if position is None else Progress(**json.loads(position))


def batch_after(
    session: Session, landscape: Landscape, account: str, progress: Progress
) -> tuple[list[Subject], Progress | None]:
    """The next subjects of a walk, and where it goes on from there; after the last ones it ends.

    Whoever has a case comes at the end too, and may have come before.
    """
    land, after, most = landscape.lands[account], progress.after, SUBJECTS_A_STEP
    match progress.phase:
        case "owners":
            keys = subjects.owners_after(session, account, after, most)
            some = [subject_of(account, key) for key in keys]
        case "recorded":
            keys = subjects.recorded_after(session, land.facts, after, most)
            some = [Subject(account, CUSTOMER, key) for key in keys]
        case "given":
            keys = subjects.given_after(session, land.facts, after, most)
            some = [Subject(account, CUSTOMER, key) for key in keys]
        case "payouts":
            keys = subjects.ids_after(session, account, "payout", after, most)
            some = [Subject(account, "payout", key) for key in keys]
        case _:
            return sorted({Subject(account, ACCOUNT, account), *subjects.with_cases(session, account)}), None
    judged = progress.judged + len(some)
    if len(keys) == most:
        return some, replace(progress, after=keys[-1], judged=judged)
    phase = PHASES[PHASES.index(progress.phase) + 1]
    return some, replace(progress, phase=phase, after="", judged=judged)


def _withheld(verdicts: Sequence[Verdict], changes: Sequence[Changes]) -> Mapping[str, tuple[Kind, Subject]]:
    return {
        each.fingerprint: (each.kind, verdict.facts.subject)
        for verdict, change in zip(verdicts, changes, strict=True)
        for each in change.withheld
        if each.reason is Reason.STORM
    }


def _complete(land: Land) -> list[str]:
    """The sources that this account can be judged with."""
    return [
        source.value
        for source in sources_of(land.facts)
        if source in land.passed_at and reading_of(land.facts, source) is not None
    ]
