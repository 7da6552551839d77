"""The protocol by which something approved is done once: which step follows from what, in one table.

A step moves a version of a proposal, the attempt at it, or both at once; there is no other way from state to state. The
desk and the executor take these steps in the database, each by comparing and setting; an explorer takes all of them in
every order. Below the table stands what the executor concludes from an answer, and from a look for an effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final


class Step(StrEnum):
    # People, and time.
    REACH_QUORUM = "reach_quorum"
    REJECT = "reject"
    ASK_FOR_CHANGES = "ask_for_changes"
    EDIT = "edit"  # another version takes its place
    REVOKE = "revoke"  # the approval holds no longer: an equal version waits for votes anew
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    BECOME_MOOT = "become_moot"  # there is nothing left to be done about
    RETRY = (
        "retry"  # a person raises the epoch: of an unknown one after it was verified that nothing happened
    )

    # The executor.
    OUTDATE = (
        "outdate"  # the world is not as the reviewer saw it: a version of the world as it is waits for votes
    )
    CLAIM = "claim"
    PUT_BACK = "put_back"  # nothing was sent: whoever comes next may claim it
    SEND = "send"  # committed before the call: from here on something may have happened
    REBUFF = "rebuff"  # they did nothing, say so, and would take the same call later
    SUCCEED = "succeed"
    FAIL = "fail"  # nothing was done, or what was done came to nothing
    LOSE = "lose"  # nobody knows


@dataclass(frozen=True, slots=True)
class Moves:
    """From which states a step leads where; what it says nothing of stays as it is."""

    proposal: Mapping[str, str]
    attempt: Mapping[str | None, str]  # None: there is no attempt of this epoch yet


STEPS: Final[Mapping[Step, Moves]] = {
    Step.REACH_QUORUM: Moves({"pending": "approved"}, {}),
    Step.REJECT: Moves({"pending": "rejected"}, {}),
    Step.ASK_FOR_CHANGES: Moves({"pending": "changes_requested"}, {}),
    Step.EDIT: Moves(
        {"pending": "superseded", "changes_requested": "superseded", "approved": "superseded"}, {}
    ),
    Step.REVOKE: Moves({"approved": "superseded"}, {}),
    Step.WITHDRAW: Moves(
        {"pending": "withdrawn", "changes_requested": "withdrawn", "approved": "withdrawn"}, {}
    ),
    Step.EXPIRE: Moves({"pending": "expired", "changes_requested": "expired", "approved": "expired"}, {}),
    Step.BECOME_MOOT: Moves({"pending": "moot", "changes_requested": "moot", "approved": "moot"}, {}),
    Step.RETRY: Moves({"failed": "approved", "unknown": "approved"}, {"unknown": "failed"}),
    Step.OUTDATE: Moves(
        {"pending": "stale", "approved": "stale", "executing": "stale"}, {"claimed": "outdated"}
    ),
    Step.CLAIM: Moves({"approved": "executing"}, {None: "claimed", "outdated": "claimed"}),
    Step.PUT_BACK: Moves({"executing": "approved"}, {"claimed": "outdated"}),
    Step.SEND: Moves({}, {"claimed": "sent", "sent": "sent"}),
    Step.REBUFF: Moves({"executing": "approved"}, {"sent": "outdated"}),
    Step.SUCCEED: Moves(
        {"executing": "succeeded", "unknown": "succeeded"}, {"sent": "succeeded", "unknown": "succeeded"}
    ),
    Step.FAIL: Moves(
        {"executing": "failed", "unknown": "failed"},
        {"claimed": "failed", "sent": "failed", "unknown": "failed"},
    ),
    Step.LOSE: Moves({"executing": "unknown"}, {"sent": "unknown"}),
}

OVER: Final = frozenset({"rejected", "superseded", "expired", "withdrawn", "moot", "stale", "succeeded"})
LIVE: Final = frozenset({"pending", "changes_requested", "approved", "executing", "unknown", "failed"})
UNFINISHED: Final = frozenset(
    {"claimed", "sent", "unknown"}
)  # no second attempt at the same object meanwhile

# Every pair of states that some step joins: what a compare-and-set may write.
PROPOSAL_MOVES: Final = frozenset(pair for moves in STEPS.values() for pair in moves.proposal.items())
ATTEMPT_MOVES: Final = frozenset(pair for moves in STEPS.values() for pair in moves.attempt.items())


def since(step: Step) -> frozenset[str]:
    """The states of a proposal from which this step is taken."""
    return frozenset(STEPS[step].proposal)


def to(step: Step) -> str:
    """Where this step leads a proposal: each leads to one place."""
    (state,) = set(STEPS[step].proposal.values())
    return state


def attempt_since(step: Step) -> frozenset[str]:
    """The states of an attempt from which this step is taken."""
    return frozenset(state for state in STEPS[step].attempt if state is not None)


def attempt_to(step: Step) -> str:
    """Where this step leads an attempt."""
    (state,) = set(STEPS[step].attempt.values())
    return state


SAME_KEY_FOR: Final = timedelta(hours=20)  # Stripe may forget a key after 24; a clock or a queue may be late
STILL_UNDER_WAY_FOR: Final = timedelta(minutes=10)  # a call nobody waits for any more may still be worked on


class Answer(Enum):
    """What came of a call."""

    DONE = "done"
    REFUSED = "refused"  # nothing was done, and the same again would be refused again
    REBUFFED = "rebuffed"  # nothing was done, and the same call may be made later
    LOST = "lost"  # no answer, or one that settles nothing
    STORED = "stored"  # a failure that is kept under this key: it will never give another answer


class Sight(Enum):
    """What a look for the effect found."""

    DONE = "done"
    CAME_TO_NOTHING = "came_to_nothing"  # it was done, and undone by itself: a refund that failed
    ABSENT = "absent"
    UNSURE = "unsure"


def after_call(answer: Answer, *, first: bool) -> Step | None:
    """What follows from an answer; None: the effect is looked for before anything else.

    `first`: the only call that was made under this key. After one whose answer was lost, “nothing was done” is
    true of this call only; the other one may still arrive.
    """
    match answer:
        case Answer.DONE:
            return Step.SUCCEED
        case Answer.REFUSED:
            return Step.FAIL if first else Step.LOSE
        case Answer.STORED:
            return Step.LOSE
        case Answer.REBUFFED if first:
            return Step.REBUFF
    return None


def after_look(
    sight: Sight, state: str, *, repeatable: bool, sent_ago: timedelta, approved: bool
) -> Step | None:
    """What follows from a look for the effect of an attempt that is `sent` or `unknown`; None: it stays so.

    `approved`: everything that its approval needs still holds, and the world is as it was seen.
    """
    if sight is Sight.DONE:
        return Step.SUCCEED
    if sight is Sight.CAME_TO_NOTHING:
        return Step.FAIL
    if state == "unknown":
        return None  # only what is seen, or a person, ends it
    if repeatable and approved and sent_ago < SAME_KEY_FOR:
        return Step.SEND
    return Step.LOSE


def may_be_done_anew(last_sent_ago: timedelta, *, stored: bool) -> bool:
    """Whether a person may have an unknown one done anew, of which no effect was found: nothing can arrive any more.

    `stored`: a failure was repeated under its key, so that whatever else was sent under it will do nothing, either.
    """
    return stored or last_sent_ago >= STILL_UNDER_WAY_FOR


def executable(
    state: str, executable_at: datetime | None, expires_at: datetime | None, now: datetime
) -> bool:
    """Whether an approval may be acted on at this moment: after its undo and before its end."""
    return (
        state in since(Step.CLAIM)
        and executable_at is not None
        and expires_at is not None
        and executable_at <= now < expires_at
    )
