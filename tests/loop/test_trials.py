"""Trying a policy: a shadow tells what would happen, a backtest what would have happened, where that can be known."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.core.judge import judge
from daemon.core.model import Facts, Policy
from daemon.store.cases import case_id
from daemon.store.db import Store
from daemon.trial.backtest import JUDGED_AGAIN, Backtest, backtest, known_from, spans_of
from daemon.trial.ground import Trial, open_trial
from daemon.trial.shadow import Effect, When, shadow
from tests.loop.rig import Rig, rigged

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=2, customers=45) as rig:
        rig.read_everything()
        rig.rest()
        yield rig


def trial_of(rig: Rig, *changes: tuple[str, str], more: str = "") -> Trial:
    """The policy in force with these words replaced, beside itself."""
    text = (rig.folder / "policy.toml").read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return open_trial(rig.settings, rig.store, "default", text + more, ())


def test_a_policy_beside_itself_differs_in_nothing(rig: Rig) -> None:
    found = shadow(trial_of(rig), rig.now())
    assert found.differences == []
    stands = {row.kind for row in rig.standing()}
    assert {kind.value for kind in found.stands["tried"]} == stands
    assert found.stands["tried"].total() == len(rig.standing())


def test_what_is_about_to_change_anyway_is_no_difference(rig: Rig) -> None:
    """A case whose time has come, and a look that is late, belong to both policies."""
    rig.sandbox.advance("9d")
    found = shadow(trial_of(rig, ('"24h"', '"25h"')), rig.now())
    assert found.stands["in_force"].total() != len(rig.standing())
    assert {each.kind.value for each in found.differences} <= {"dispute_deadline"}


def test_a_rule_that_wants_too_much_at_once_is_shown_as_held(rig: Rig) -> None:
    off = [f"{kind} = false" for kind in ("payment_without_access", "crm_status_mismatch")]
    before = trial_of(rig, more="\n[rules]\n" + "\n".join(off))
    reversed_ = Trial(
        before.store, before.cartographer, "default", before.accounts, before.tried, before.in_force
    )
    rig.on("acme-eu", lambda shop: shop.world.entitlements.clear())
    rig.read_entitlements()
    settling = shadow(reversed_, rig.now())
    assert {each.when for each in settling.differences if each.account == "acme-eu"} >= {When.SETTLED}
    rig.sandbox.advance("30m")
    rig.read_everything()
    found = shadow(reversed_, rig.now())
    opening = [each for each in found.differences if (each.effect, each.account) == (Effect.OPEN, "acme-eu")]
    flood = [each for each in opening if each.kind.value == "payment_without_access"]
    assert len(flood) > 30
    assert {each.when for each in flood} == {When.RELEASED}


def test_a_backtest_tells_when_a_grace_period_would_have_ended(rig: Rig) -> None:
    begins = rig.now()
    rig.sandbox.advance("10d")
    found = backtest(trial_of(rig, ('past_due = "7d"', 'past_due = "1d"')), begins, rig.now())
    assert {each.kind.value for each in found.differences} == {"grace_expired"}
    for each in found.differences:
        (later,) = each.in_force
        (sooner,) = each.tried
        assert sooner.since <= later.since
        assert sooner.since == max(each.known_since, later.since - 6 * DAY)
    assert found.tried == found.in_force, "after ten days both have come to the same"
    assert 0.9 < found.known_share <= 1


def test_a_backtest_does_not_speak_of_the_time_before_a_change(rig: Rig) -> None:
    stricter = ('past_due = "7d"', 'past_due = "1d"')
    begins = rig.now()
    ends = begins + 12 * HOUR
    rig.sandbox.advance("12h")
    some = {each.subject.id: each for each in backtest(trial_of(rig, stricter), begins, ends).differences}
    (one, before), *_ = sorted(some.items())
    (subscription,) = rig.on(
        before.account,
        lambda shop: [each["id"] for each in shop.account.newest_first("subscription", customer=one)],
    )
    rig.on(
        before.account,
        lambda shop: shop.change(
            "subscription", subscription, "customer.subscription.updated", cancel_at_period_end=True
        ),
    )
    rig.hear()
    rig.rest()
    rig.sandbox.advance("2h")
    after = {
        each.subject.id: each for each in backtest(trial_of(rig, stricter), begins, rig.now()).differences
    }
    assert after[one].known_since >= ends > before.known_since
    assert one not in {
        each.subject.id for each in backtest(trial_of(rig, stricter), begins, ends).differences
    }


def test_the_moments_of_a_backtest_are_those_of_a_look_at_every_hour(rig: Rig) -> None:
    begins, ends = rig.now(), rig.now() + 12 * DAY
    trial = trial_of(rig)
    hours = 0
    for account in trial.accounts:
        policy = trial.in_force.for_account(account)
        for _, _, batch in trial.facts(account):
            for facts in batch:
                if not (facts.disputes or facts.live) or facts.subject.kind == "account":
                    continue
                spans = spans_of(facts, policy, begins, ends)
                for hour in range(0, 12 * 24, 5):
                    at = begins + hour * HOUR
                    told = {
                        (name, span.severity)
                        for name, (_, some) in spans.items()
                        for span in some
                        if span.since <= at and (span.until is None or at < span.until)
                    }
                    assert told == wanted(facts, policy, at), (facts.subject, at)
                    hours += bool(told)
    assert hours > 500


def wanted(facts: Facts, policy: Policy, at: Any) -> set[tuple[str, Any]]:
    verdict = judge(replace(facts, read_at=dict.fromkeys(facts.read_at, at)), policy, at)
    return {
        (each.fingerprint, each.disagreement.severity)
        for each in verdict.wanted
        if each.settled and each.disagreement.kind in JUDGED_AGAIN
    }


def test_what_has_changed_since_cannot_be_judged_again_and_is_counted_from_the_journal(rig: Rig) -> None:
    begins = rig.now()
    (row, *_) = rig.stands("dispute_deadline")
    (disputed,) = (one for one in row.object_ids if one.startswith("dp_"))
    rig.sandbox.advance("2d")
    rig.on(
        row.account,
        lambda shop: shop.change("dispute", disputed, "charge.dispute.updated", status="under_review"),
    )
    rig.hear()
    rig.rest()
    assert not rig.stands("dispute_deadline", disputed)
    trial = trial_of(rig, more="\n[rules]\ndispute_deadline = false\n")
    found = backtest(trial, begins, rig.now())
    kind = next(each for each in found.recorded if each.value == "dispute_deadline")
    assert found.beyond[kind] >= 1
    assert found.off[kind] == found.beyond[kind], "the file switches the rule off"
    told = {case_id(each.fingerprint) for each in found.differences}
    assert row.id not in told, "it is not known how it was before it changed"
    assert rig.now() - known_of(trial, row) < HOUR, "and known from there on"
    ended = backtest(trial, begins - 30 * DAY, begins - DAY)
    assert ended.recorded.total() == 0, "nothing stood then"
    assert ended.known_share == 0


def known_of(trial: Trial, row: Any) -> Any:
    for _, _, batch in trial.facts(row.account):
        for facts in batch:
            if (facts.subject.kind, facts.subject.id) == (row.subject_kind, row.subject_id):
                return known_from(facts)
    raise AssertionError("nobody is left out")


def test_everybody_is_met_once(rig: Rig) -> None:
    trial = trial_of(rig)
    for account in trial.accounts:
        met = [facts.subject for _, _, batch in trial.facts(account) for facts in batch]
        assert len(met) == len(set(met))
        with_cases = {(row.subject_kind, row.subject_id) for row in rig.standing() if row.account == account}
        assert with_cases <= {(each.kind, each.id) for each in met}


def test_an_account_that_was_never_read_whole_tells_nothing(store: Store, tmp_path: Path) -> None:
    with rigged(store, tmp_path, accounts=1, customers=5) as rig:
        found: Backtest = backtest(trial_of(rig), rig.now() - DAY, rig.now())
        assert (found.known_share, found.differences) == (0, [])
        assert shadow(trial_of(rig), rig.now()).differences == []
