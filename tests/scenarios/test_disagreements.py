"""Every scenario in words, judged: exactly the cases that it names stand, with what it says of them."""

from pathlib import Path

import pytest

from daemon.core.canonical import Json
from daemon.core.judge import Wanted, judge
from daemon.core.model import DISAGREEMENTS
from daemon.core.policy import read_policy
from tests.scenarios.language import Expected, Scenario, scenarios

FOLDER = Path(__file__).parent
ALL = [each for path in sorted(FOLDER.glob("*.md")) for each in scenarios(path)]


@pytest.mark.parametrize("scenario", ALL, ids=str)
def test_exactly_the_named_cases_stand(scenario: Scenario) -> None:
    policy = read_policy(scenario.policy).for_account("acme")

    verdict = judge(scenario.scene.facts(), policy, scenario.now)

    ours = [each for each in verdict.wanted if each.disagreement.kind in DISAGREEMENTS]
    settled = {
        (each.disagreement.kind.value, each.disagreement.per[1]): each for each in ours if each.settled
    }
    assert sorted(settled) == sorted((each.kind, each.per) for each in scenario.expected)
    for each in scenario.expected:
        _says(settled[each.kind, each.per], each)
    assert sorted(each.disagreement.kind for each in ours if not each.settled) == sorted(scenario.settling)
    assert not verdict.judged & set(scenario.unjudged)
    if scenario.look_again is not None:
        assert verdict.look_again_at == scenario.look_again


def _says(wanted: Wanted, expected: Expected) -> None:
    found = wanted.disagreement
    assert expected.per in found.object_ids or found.per[0] == "person"
    if expected.odd is not None:
        assert (found.odd_one_out or "nobody") == expected.odd
    if expected.amount is not None:
        assert str(found.amount) == expected.amount
    if expected.severity is not None:
        assert found.severity == expected.severity
    if expected.action is not None:
        assert found.recommended is not None
        assert found.recommended.action == expected.action
        known: dict[str, Json] = dict(found.recommended.details)
        fields = known.get("fields")
        known |= fields if isinstance(fields, dict) else {}
        assert {name: str(known[name]) for name in expected.details} == expected.details


@pytest.mark.parametrize("kind", sorted(DISAGREEMENTS))
def test_every_rule_is_told_by_scenarios_that_open_it_and_that_do_not(kind: str) -> None:
    own = [each for each in ALL if each.file == kind]

    assert [each for each in own if kind in {case.kind for case in each.expected}]
    assert len([each for each in own if kind not in {case.kind for case in each.expected}]) >= 2


def test_a_scenario_says_something() -> None:
    assert len(ALL) > 100
    assert all(each.lines > 2 for each in ALL)
