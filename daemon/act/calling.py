"""What came of a call, and what can be seen of one whose answer was lost, in the protocol's words."""

from typing import Final, NamedTuple

from accounts.errors import ObservationError, Refused, Uncertain
from daemon.act.claim import Claim
from daemon.actions.shape import BadDetails, Done, Hands, Trace
from daemon.core.protocol import Answer, Sight

KEY_REUSED: Final = "idempotency_error"  # the key was used before, for something else


class Answered(NamedTuple):
    answer: Answer
    done: Done | None = None
    why: str | None = None  # a sentence, where it was not done
    wait_s: float | None = None  # for how long they asked us to wait
    request_id: str | None = None  # of the answer, which is what support of theirs asks for


class Seen(NamedTuple):
    sight: Sight
    done: Done | None = None


def answer_of(claim: Claim, hands: Hands) -> Answered:
    """Makes the call, exactly as its intent was committed."""
    try:
        done = claim.action.execute(hands, claim.details(), claim.attempt.request, key=claim.key)
    except Refused as refused:
        stored = refused.code == KEY_REUSED
        answer = Answer.STORED if stored else Answer.REFUSED
        return Answered(answer, why=str(refused), request_id=refused.request_id)
    except Uncertain as uncertain:
        answer = Answer.REBUFFED if uncertain.nothing_done else Answer.LOST
        answer = Answer.STORED if uncertain.stored else answer
        return Answered(
            answer, why=str(uncertain), wait_s=uncertain.retry_after_s, request_id=uncertain.request_id
        )
    except BadDetails as gone:
        return Answered(Answer.REFUSED, why=f"{gone} Nothing was sent.")  # since it was looked at
    except ObservationError as problem:
        return Answered(Answer.REBUFFED, why=str(problem))  # it looked before it would write
    return Answered(Answer.DONE, done)


def effect_of(claim: Claim, hands: Hands) -> Seen:
    """Looks for what a call may have done. Raises ObservationError."""
    if isinstance(claim.asked, str):
        return Seen(Sight.UNSURE)
    try:
        found = claim.action.verify(hands, claim.asked, claim.sent)
    except BadDetails:
        return Seen(Sight.UNSURE)  # what it was done to cannot be told any more
    if isinstance(found, Done):
        return Seen(Sight.CAME_TO_NOTHING if found.came_to_nothing else Sight.DONE, found)
    return Seen(Sight.ABSENT if found is Trace.ABSENT else Sight.UNSURE)
