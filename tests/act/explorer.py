"""Every history of one approved refund, as a graph of states: two executors, people, time, crashes, and each answer.

Proposal and attempt move only by the protocol's own table, and what an executor concludes comes from the protocol's own
functions, so a mistake in either is found here. Beside them stands the world: Stripe with what it keeps under the key,
a call that is still under way though nobody waits for it any more, and what each executor believes. A call is made
in two moves, its arrival and its answer; between any two moves anything else may happen, a crash too.

Time is coarse: whether the lease runs, whether the approval's window is open, whether something that was sent can still
arrive, and how old the key is. The edges have names, so a broken promise comes with the history that leads to it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from daemon.core import protocol
from daemon.core.protocol import OVER, STEPS, STILL_UNDER_WAY_FOR, UNFINISHED, Answer, Moves, Sight, Step

KEY_AGES: Final = (timedelta(minutes=1), protocol.SAME_KEY_FOR, timedelta(hours=25))
FORGOTTEN: Final = 2  # the age at which Stripe knows the key no more


class Hand(NamedTuple):
    """One executor, between two of its moves."""

    at: str = "idle"  # idle, holds (a claim), looked, intends, calls, concludes
    ours: bool = False  # its token is still the newest
    first: bool = True  # nothing was sent under this key before
    saw: str = ""  # the step that is to be concluded
    late: bool = False  # its lease has run out since
    arrived: bool = False  # its call
    stored: bool = False  # a failure is kept under the key of its call, which will do nothing


IDLE: Final = Hand()


class Kept(NamedTuple):
    """What stands in the database, and so what a copy of it holds."""

    proposal: str = "pending"
    version: int = 1
    epoch: int = 1
    attempt: str | None = None
    leased: bool = False
    sent: bool = False
    stored: bool = False  # a failure is kept under its key
    settled: bool = False  # it was verified that nothing happened
    open: bool = True  # the approval's window
    voted: bool = False
    saw: bool = False  # the world as the reviewer saw it


class State(NamedTuple):
    kept: Kept = Kept()
    hands: tuple[Hand, ...] = (IDLE, IDLE)
    world: bool = False  # changed by somebody else
    effects: int = 0
    key: str = ""  # what Stripe keeps under the key of this epoch: nothing, an effect, a failure
    age: int = 0  # of that key
    calm: bool = True  # nothing that was sent can still arrive
    flying: str = ""  # a call that nobody waits for: under this key, or under an older one
    copy: Kept | None = None
    restored: bool = False


Edge = tuple[str, State]


@dataclass(frozen=True)
class Rules:
    """What is explored: the protocol, and the executor's habits. A test breaks one of them, and sees it noticed."""

    steps: Mapping[Step, Moves] = field(default_factory=lambda: STEPS)
    after_call: Callable[..., Step | None] = protocol.after_call
    after_look: Callable[..., Step | None] = protocol.after_look
    may_be_done_anew: Callable[..., bool] = protocol.may_be_done_anew
    unfinished: frozenset[str] = UNFINISHED
    looks_for_its_tag: bool = True
    fenced: bool = True  # makes no call that it may not end within its lease
    compares: bool = True  # its token, with every step
    executors: int = 2
    copies: bool = False  # a backup is made, and put in use later
    epochs: int = 2
    versions: int = 2


class Broken(AssertionError):
    """A promise does not hold; the message is the history."""


class Explorer:
    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.came_from: dict[State, tuple[str, State] | None] = {}

    def explore(self) -> int:
        """Visits every state that can be reached, and answers how many those are. Raises Broken."""
        first = State(hands=(IDLE,) * self.rules.executors)
        self.came_from[first] = None
        waiting = deque([first])
        before: dict[State, list[State]] = {}
        while waiting:
            state = waiting.popleft()
            self._check(state)
            for name, after in self.moves(state):
                after = after._replace(hands=tuple(sorted(after.hands)))
                before.setdefault(after, []).append(state)
                if after not in self.came_from:
                    self.came_from[after] = (name, state)
                    waiting.append(after)
        self._nobody_is_stuck(before)
        return len(self.came_from)

    def history(self, state: State) -> str:
        names: list[str] = []
        step = self.came_from[state]
        while step is not None:
            names.append(step[0])
            step = self.came_from[step[1]]
        return " → ".join(reversed(names))

    def _check(self, state: State) -> None:
        kept = state.kept
        if state.effects > 1:
            raise Broken(f"done twice: {self.history(state)}")
        if kept.proposal == "succeeded" and state.effects != 1:
            raise Broken(f"called done, and was not: {self.history(state)}")
        if kept.proposal == "failed" and state.effects and not state.restored:
            raise Broken(f"called failed, and was done: {self.history(state)}")
        if (kept.proposal == "executing") != (kept.attempt in ("claimed", "sent")):
            raise Broken(f"proposal and attempt disagree: {self.history(state)}")
        if (kept.proposal == "unknown") != (kept.attempt == "unknown"):
            raise Broken(f"proposal and attempt disagree: {self.history(state)}")

    def _nobody_is_stuck(self, before: Mapping[State, list[State]]) -> None:
        """From everywhere a state can be reached in which it is over, or in which a person may have it done anew."""
        ends = [state for state in self.came_from if state.kept.proposal in OVER or _a_persons(state.kept)]
        known, waiting = set(ends), deque(ends)
        while waiting:
            for state in before.get(waiting.popleft(), ()):
                if state not in known:
                    known.add(state)
                    waiting.append(state)
        for state in self.came_from:
            if state not in known:
                raise Broken(f"stuck: {self.history(state)}")

    def moves(self, state: State) -> Iterator[Edge]:
        yield from self._people(state)
        yield from self._world(state)
        for number, hand in enumerate(state.hands):
            yield from self._executor(state, number)
            if hand.at != "idle":
                dying = hand.at == "calls" and not hand.arrived and not hand.stored
                alone = _with(state, number, IDLE)
                yield "crash", _given_up(alone) if dying else alone

    def _people(self, state: State) -> Iterator[Edge]:
        kept = state.kept
        approved = self._step(kept, Step.REACH_QUORUM)
        if approved is not None:
            yield "approve", state._replace(kept=approved._replace(voted=True, open=True, saw=state.world))
        for step in (Step.WITHDRAW, Step.REJECT):
            if (after := self._step(kept, step)) is not None:
                yield step.value, state._replace(kept=after)
        if (revoked := self._step(kept, Step.REVOKE)) is not None:
            yield "revoke", self._again(state._replace(kept=revoked))
        retried = self._step(kept, Step.RETRY)
        if retried is not None and kept.epoch < self.rules.epochs and _a_persons(kept):
            anew = Kept(retried.proposal, kept.version, kept.epoch + 1, voted=kept.voted, saw=kept.saw)
            yield "retry", _new_key(state._replace(kept=anew))
        if not kept.open and (expired := self._step(kept, Step.EXPIRE)) is not None:
            yield "expire", state._replace(kept=expired)

    def _world(self, state: State) -> Iterator[Edge]:
        kept = state.kept
        if kept.open and kept.proposal in ("approved", "executing"):
            yield "the window ends", state._replace(kept=kept._replace(open=False))
        if not state.world:
            yield "the world changes", state._replace(world=True)
        if kept.leased:
            yield "the lease ends", _late(state)
            yield "another process starts", state._replace(kept=kept._replace(leased=False))
        if state.flying:
            old = state.flying == "older"
            came = state._replace(effects=state.effects + 1) if old else _arrived(state)
            yield "what was given up arrives", came._replace(flying="")
            yield "what was given up is lost", state._replace(flying="")
        # No call takes as long as that; executors have timeouts, and Stripe does not work on anything for ever.
        at_rest = not any(hand.at == "calls" for hand in state.hands) and not state.flying
        if at_rest and not state.calm:
            yield "minutes pass", _late(state)._replace(calm=True)
        if at_rest and state.calm and kept.sent and state.age < FORGOTTEN:
            key = "" if state.age + 1 == FORGOTTEN else state.key
            yield "hours pass", _late(state)._replace(age=state.age + 1, key=key)
        if self.rules.copies and not state.restored:
            if state.copy is None:
                yield "backup", state._replace(copy=kept)
            elif at_rest and state.calm:
                yield "restore", self._restored(state, state.copy)

    def _restored(self, state: State, copy: Kept) -> State:
        """The copy is put in use: it knows nothing of what happened since, and so lets nothing happen by itself."""
        kept = copy._replace(leased=False, settled=False)
        same_key = (copy.version, copy.epoch) == (state.kept.version, state.kept.epoch)
        alone = state._replace(hands=(IDLE,) * self.rules.executors, restored=True, copy=None)
        alone = alone if same_key else alone._replace(key="", age=0)
        if kept.attempt == "sent":
            lost = self._step(kept, Step.LOSE)
            assert lost is not None, "what was sent may be lost"
            return alone._replace(kept=lost)
        if kept.proposal in ("approved", "executing"):
            stale = self._step(kept, Step.OUTDATE)
            assert stale is not None, "what was approved may be outdated"
            return self._again(alone._replace(kept=stale))
        return alone._replace(kept=kept)

    def _executor(self, state: State, number: int) -> Iterator[Edge]:
        kept, hand = state.kept, state.hands[number]
        ours = hand.ours or not self.rules.compares
        match hand.at:
            case "idle":
                yield from self._begins(state, number)
            case "holds":
                if self._as_approved(state):
                    yield "looks: as approved", _with(state, number, hand._replace(at="looked"))
                elif ours and hand.first and (stale := self._step(kept, Step.OUTDATE)) is not None:
                    yield "looks: outdated", self._again(_with(state._replace(kept=stale), number, IDLE))
                else:
                    yield "looks: too late", _with(state, number, IDLE)
                yield from self._puts_back(state, number, "cannot look")
            case "looked":
                intent = self._step(kept, Step.SEND)
                if not ours or intent is None:
                    yield "has lost its claim", _with(state, number, IDLE)
                elif not kept.open:
                    yield from self._puts_back(state, number, "comes too late to send")
                    yield "waits", _with(state._replace(kept=kept._replace(leased=False)), number, IDLE)
                else:
                    if not kept.voted:
                        raise Broken(f"sent without a valid approval: {self.history(state)}")
                    sent = intent._replace(sent=True, leased=True, settled=False)
                    going = state._replace(kept=sent, calm=False)
                    yield "intent", _with(going, number, hand._replace(at="intends", late=False))
            case "intends":
                if hand.late and self.rules.fenced:
                    yield "does not call any more", _with(state, number, IDLE)
                elif state.effects and self.rules.looks_for_its_tag:
                    yield "finds its tag", _concluding(state, number, Step.SUCCEED)
                else:
                    yield "calls", _with(state, number, hand._replace(at="calls"))
            case "calls":
                yield from self._stripe(state, number)
            case "concludes":
                yield from self._concludes(state, number)

    def _begins(self, state: State, number: int) -> Iterator[Edge]:
        kept = state.kept
        if kept.proposal == "approved" and kept.open and kept.attempt not in self.rules.unfinished:
            claimed = self._step(kept, Step.CLAIM)
            if claimed is not None:
                yield "claim", _taken(state, claimed, number, Hand("holds", ours=True))
        if kept.leased or kept.attempt not in self.rules.unfinished:
            return
        if kept.attempt == "claimed":
            yield from self._puts_back(
                _taken(state, kept, number, Hand("holds", ours=True)), number, "puts it back"
            )
            return
        sight = Sight.DONE if state.effects else Sight.ABSENT
        step = self.rules.after_look(
            sight, kept.attempt, repeatable=True, sent_ago=KEY_AGES[state.age],
            approved=kept.open and kept.voted and self._as_approved(state),
        )  # fmt: skip
        name = f"looks for the effect, {sight.value}"
        if step is None:
            ago = STILL_UNDER_WAY_FOR if state.calm else timedelta(minutes=1)
            settled = sight is Sight.ABSENT and self.rules.may_be_done_anew(ago, stored=kept.stored)
            yield name, state._replace(kept=kept._replace(settled=settled))
        elif step is Step.SEND:
            if not self._as_approved(state):
                raise Broken(f"sent again in another world: {self.history(state)}")
            yield name, _taken(state, kept, number, Hand("looked", ours=True, first=False))
        else:
            yield name, _taken(state, kept, number, Hand("concludes", ours=True, saw=step.value))

    def _stripe(self, state: State, number: int) -> Iterator[Edge]:
        """What a call meets there, and what comes back."""
        hand = state.hands[number]
        if hand.arrived:
            yield "is answered", self._answered(state, number, Answer.DONE)
            yield "is not answered", self._answered(state, number, Answer.LOST)
            return
        if hand.stored:
            yield "is replayed an older failure", self._answered(state, number, Answer.STORED)
            return
        yield "is rebuffed", self._answered(state, number, Answer.REBUFFED)
        yield "is given up", self._answered(_given_up(state), number, Answer.LOST)
        match state.key:
            case "effect":
                yield "is replayed", self._answered(state, number, Answer.DONE)
            case "failure":
                yield "is replayed the failure", self._answered(state, number, Answer.STORED)
            case _:
                yield "is refused", self._answered(state, number, Answer.REFUSED)
                failed = state._replace(key="failure")
                yield "fails for good", self._answered(failed, number, Answer.LOST)
                done = failed._replace(effects=state.effects + 1)
                yield "is done and fails for good", self._answered(done, number, Answer.LOST)
                yield "is done", _with(_arrived(state), number, hand._replace(arrived=True))

    def _answered(self, state: State, number: int, answer: Answer) -> State:
        hand = state.hands[number]
        step = self.rules.after_call(answer, first=hand.first)
        if step is not None:
            stored = hand._replace(stored=answer is Answer.STORED)
            return _concluding(_with(state, number, stored), number, step)
        kept = state.kept._replace(leased=False) if hand.ours else state.kept
        return _with(state._replace(kept=kept), number, IDLE)

    def _concludes(self, state: State, number: int) -> Iterator[Edge]:
        hand, kept = state.hands[number], state.kept
        step = Step(hand.saw)
        # What was seen to have happened is true whoever holds the claim; everything else is not.
        anybodys = step is Step.SUCCEED or not self.rules.compares
        after = self._step(kept, step) if anybodys or hand.ours else None
        if after is None:
            yield "comes too late", _with(state, number, IDLE)
            return
        after = after._replace(leased=False, stored=hand.stored)
        if step is Step.REBUFF:
            after, state = after._replace(sent=False), state._replace(age=0)
        yield step.value, _with(state._replace(kept=after), number, IDLE)

    def _puts_back(self, state: State, number: int, name: str) -> Iterator[Edge]:
        hand = state.hands[number]
        ours = hand.ours or not self.rules.compares
        back = self._step(state.kept, Step.PUT_BACK) if ours else None
        if back is not None:
            yield name, _with(state._replace(kept=back._replace(leased=False)), number, IDLE)

    def _as_approved(self, state: State) -> bool:
        """Our own effect changes the world, too."""
        return state.world == state.kept.saw and not state.effects

    def _again(self, state: State) -> State:
        """A version with the same words waits for votes anew, as often as is explored."""
        kept = state.kept
        if kept.version == self.rules.versions:
            return state
        return _new_key(state._replace(kept=Kept(version=kept.version + 1)))

    def _step(self, kept: Kept, step: Step) -> Kept | None:
        """By the table, where both are in a state that it is taken from."""
        moves = self.rules.steps[step]
        if moves.proposal and kept.proposal not in moves.proposal:
            return None
        bound = step not in (Step.RETRY, Step.OUTDATE)  # these are taken of proposals without an attempt, too
        if moves.attempt and kept.attempt not in moves.attempt and bound:
            return None
        return kept._replace(
            proposal=moves.proposal.get(kept.proposal, kept.proposal),
            attempt=moves.attempt.get(kept.attempt, kept.attempt),
        )


def _a_persons(kept: Kept) -> bool:
    return kept.proposal == "failed" or (kept.proposal == "unknown" and kept.settled)


def _new_key(state: State) -> State:
    """What is under way under the old one may still be done, unless something is kept under that."""
    flying = "older" if state.flying and not state.key else ""
    hands = state.hands
    if state.key == "failure":
        hands = tuple(
            hand._replace(stored=True) if hand.at in ("intends", "calls") else hand for hand in hands
        )
    return state._replace(key="", age=0, flying=flying, hands=hands)


def _given_up(state: State) -> State:
    return state._replace(flying=state.flying or "this")


def _arrived(state: State) -> State:
    """A call has arrived at Stripe: under a key that is kept nothing new is done."""
    return state if state.key else state._replace(effects=state.effects + 1, key="effect")


def _late(state: State) -> State:
    hands = tuple(hand._replace(late=True) if hand.at != "idle" else hand for hand in state.hands)
    return state._replace(kept=state.kept._replace(leased=False), hands=hands)


def _taken(state: State, kept: Kept, number: int, hand: Hand) -> State:
    """Somebody claims it, and so has the newest token; everybody else's is old."""
    others = tuple(each._replace(ours=False) for each in state.hands)
    return _with(state._replace(kept=kept._replace(leased=True), hands=others), number, hand)


def _concluding(state: State, number: int, step: Step) -> State:
    return _with(state, number, state.hands[number]._replace(at="concludes", saw=step.value))


def _with(state: State, number: int, hand: Hand) -> State:
    hands = list(state.hands)
    hands[number] = hand
    return state._replace(hands=tuple(hands))
