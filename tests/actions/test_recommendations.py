"""What rules recommend and draft can be asked for as it stands, by its action and with its details."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from accounts.sandbox import seeding
from accounts.sandbox.business.near_misses import CATCHES_UP_AFTER_S
from accounts.sandbox.world import World
from daemon.actions import BY_NAME
from daemon.actions.shape import BadDetails, Place
from daemon.core.canonical import canonical
from daemon.core.judge import judge
from daemon.core.model import Disagreement, Policy, Recommendation, moment
from tests.scenarios import test_planted_disagreements as disagreements
from tests.scenarios import test_planted_worlds as troubles

EXPECTED = {
    "acknowledge", "crm_task", "crm_update", "dispute_accept", "dispute_evidence", "entitlement_set", "message",
    "refund", "review_approve",
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    made = World(7, troubles.START, real=lambda: 0.0)
    seeding.plant(made, 6, 110)
    made.clock.advance(CATCHES_UP_AFTER_S)
    return made


def standing(world: World) -> Iterator[Disagreement]:
    now = moment(world.clock.now())
    for facts in disagreements.everything(world):
        yield from (each.disagreement for each in judge(facts, Policy(), now).wanted)
    for account in seeding.planted_accounts(world):
        for facts in troubles.everything(world, account, now - timedelta(days=365), {}):
            yield from (each.disagreement for each in judge(facts, Policy(), now).wanted)


def test_every_recommendation_and_every_draft_can_be_asked_for(world: World) -> None:
    seen: dict[str, int] = {}
    for found in standing(world):
        offered = [each for each in (found.recommended, *found.drafts) if each is not None]
        for each in offered:
            if not _for_people(each):
                place = Place(found.subject.account, "acct_1", True, found.subject)
                asked = BY_NAME[each.action].read(each.details, place)
                assert canonical(asked.details)
                seen[each.action] = seen.get(each.action, 0) + 1
    assert set(seen) >= EXPECTED, seen


def _for_people(offered: Recommendation) -> bool:
    """Drafts of what does not go by mail: people copy them."""
    return offered.action == "message" and offered.details["channel"] != "email"


def test_what_is_only_drafted_for_people_is_refused_as_such(world: World) -> None:
    drafts = [each for found in standing(world) for each in found.drafts if _for_people(each)]
    place = Place("shop", "acct_1", True)
    assert drafts
    for each in drafts:
        with pytest.raises(BadDetails, match=r"channel|to_role|customer"):
            BY_NAME["message"].read(each.details, place)
