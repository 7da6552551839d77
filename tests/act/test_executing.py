"""One approved refund and one executor: what Stripe answers, and what is then true."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from daemon.act import Executor
from daemon.store import stops
from daemon.store.db import Store
from tests.act.world import World, ours

HOUR = timedelta(hours=1)


def after(monkeypatch: pytest.MonkeyPatch, executor: Executor, step: str, then: Callable[[], None]) -> None:
    """Something happens in the world right after this step of an executor."""
    does = getattr(executor, step)

    def and_then(*asked: Any, **more: Any) -> Any:
        found = does(*asked, **more)
        then()
        return found

    monkeypatch.setattr(executor, step, and_then)


def test_an_approved_refund_is_made_once_and_found_in_the_journal_before_and_after(world: World) -> None:
    charge = world.charge()
    row = world.approved(charge)
    world.act()
    world.act()
    (made,) = world.refunds(charge)
    assert (made["amount"], made["metadata"]) == (6_000, {"reconciled_proposal": row.id})
    assert world.state(row) == "succeeded"
    (attempt,) = world.attempts(row.id)
    assert (attempt.state, attempt.object_id, attempt.object_status) == ("succeeded", made["id"], "succeeded")
    assert attempt.idempotency_key == f"rcl:{row.id}:v1:e1"
    assert attempt.request_id is not None
    assert world.journal()[-3:] == ["attempt_claimed", "attempt_sent", "attempt_succeeded"]


def test_nothing_is_done_before_the_undo_is_over_or_after_the_end(world: World) -> None:
    early, late = world.charge(), world.charge()
    not_yet = world.approved(early, executable_at=world.now() + timedelta(seconds=10))
    too_late = world.approved(late, expires_at=world.now())
    world.act()
    assert world.state(not_yet) == "approved"
    assert world.state(too_late) == "expired"
    world.later(seconds=11)
    world.act()
    assert world.state(not_yet) == "succeeded"
    assert not world.refunds(late)


@pytest.mark.parametrize("dial", ["answers_lost", "errors_after_write"])
def test_a_lost_answer_to_a_refund_that_was_made_is_found_by_its_tag(world: World, dial: str) -> None:
    """Traps T19 and E1: a timeout, then Stripe had succeeded."""
    charge = world.charge()
    row = world.approved(charge)
    world.fault(**{dial: 1})
    world.act()
    assert world.attempts(row.id)[0].state == "sent"
    world.rest()
    assert len(world.refunds(charge)) == 1
    assert world.state(row) == "succeeded"
    (attempt,) = world.attempts(row.id)
    assert (attempt.state, attempt.replayed) == ("succeeded", True)


def test_a_stored_500_is_unknown_and_no_new_key_is_made_without_a_person(world: World) -> None:
    """Traps T20 and E4: a 500 is stored under the key; after verification a person retries with the next epoch."""
    charge = world.charge()
    row = world.approved(charge)
    world.fault(errors_before_write=1)
    world.act()
    world.later(seconds=30)
    world.act()
    assert world.state(row) == "unknown"
    assert not world.retry(row.id), "nothing was verified yet"
    world.later(seconds=1)
    world.act()
    assert world.state(row) == "unknown"
    assert world.attempts(row.id)[0].absent_at is not None, (
        "whatever arrives under its key is answered the same"
    )
    assert not world.refunds(charge)
    assert world.substate(row) == "exec_unknown"
    assert world.retry(row.id)
    world.act()
    assert world.state(row) == "succeeded"
    assert [each.epoch for each in world.attempts(row.id)] == [1, 2]
    assert len(ours(world.refunds(charge), row.id)) == 1


@pytest.mark.parametrize("arrives", [True, False], ids=["it_was_made", "it_was_not"])
def test_after_a_day_of_downtime_nothing_is_sent_again_blindly(world: World, arrives: bool) -> None:
    """Traps T21 and E2: the key may be pruned, so it looks for the effect; without one, a person decides."""
    charge = world.charge()
    row = world.approved(charge, expires_in=48 * HOUR)
    world.fault(**{"answers_lost" if arrives else "writes_lost": 1})
    world.act()
    assert world.state(row) == "executing"
    world.later(hours=25)
    world.rest()
    assert len(world.refunds(charge)) == arrives
    assert world.state(row) == ("succeeded" if arrives else "unknown")
    if not arrives:
        assert world.retry(row.id)
        world.rest()
        assert world.state(row) == "succeeded"
        assert len(world.refunds(charge)) == 1


def test_a_call_that_never_arrived_is_sent_again_with_the_same_key_while_its_approval_holds(
    world: World,
) -> None:
    charge = world.charge()
    row = world.approved(charge)
    world.fault(writes_lost=2)
    world.rest(step=timedelta(seconds=30), runs=4)
    assert world.state(row) == "succeeded"
    assert [each.epoch for each in world.attempts(row.id)] == [1]
    assert len(world.refunds(charge)) == 1
    assert world.journal().count("attempt_sent") == 3


def test_a_call_that_never_arrived_is_not_sent_again_after_its_approval_has_ended(world: World) -> None:
    """An approval expires; it never fires late."""
    charge = world.charge()
    row = world.approved(charge)
    world.fault(writes_lost=1)
    world.act()
    world.later(minutes=31)
    world.rest()
    assert world.state(row) == "unknown"
    assert not world.refunds(charge)


def test_a_refund_in_the_dashboard_since_the_approval_sends_it_back_with_the_difference(world: World) -> None:
    """Traps T24 and E6: a partial refund in the meantime; nothing is clamped silently."""
    charge = world.charge()
    row = world.approved(charge)
    world.refund_in_dashboard(charge, 5_000)
    world.act()
    assert world.state(row) == "stale"
    assert not ours(world.refunds(charge), row.id)
    again = world.proposal(row.id, 2)
    assert again.state == "pending"
    assert again.snapshot["amount_refunded"] == 5_000
    assert "amount_refunded" in again.reason
    assert world.substate(row) == "needs_review"
    world.rest()
    assert not ours(world.refunds(charge), row.id)


def test_a_dispute_since_the_approval_sends_it_back(world: World) -> None:
    """Trap T25: a dispute is opened between approval and execution."""
    charge = world.charge()
    row = world.approved(charge)
    world.change("charge", charge, disputed=True)
    world.put(
        objects.dispute(
            f"dp_{charge}", created=0, amount=10_000, currency="eur", charge=charge, due_by=2_000_000_000
        )
    )
    world.act()
    assert world.state(row) == "stale"
    assert not world.refunds(charge)


def test_a_refund_in_the_dashboard_between_the_last_look_and_the_call_fails_and_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap T23: it lands between the re-read and our call."""
    charge = world.charge()
    row = world.approved(charge)
    executor = world.executor()
    after(monkeypatch, executor, "_intend", lambda: world.refund_in_dashboard(charge, 10_000))
    executor.act(world.slug)
    assert world.state(row) == "failed"
    assert world.substate(row) == "exec_failed"
    world.rest()
    assert len(world.refunds(charge)) == 1
    assert world.state(row) == "failed"


def test_a_key_of_another_account_writes_nothing(world: World, sandbox: Sandbox, store: Store) -> None:
    """Trap T27: approved for one account, and the key configured is another's."""
    other = World(sandbox, store)
    charge = world.charge()
    row = world.approved(charge)
    world.executor(key=other.key).act(world.slug)
    other.close()
    assert world.state(row) == "failed"
    assert not world.refunds(charge)


@pytest.mark.parametrize(
    "configured", [{"stripe_account": "acct_other"}, {"livemode": False}], ids=["account", "mode"]
)
def test_what_was_approved_for_another_account_or_mode_is_refused(
    world: World, configured: dict[str, Any]
) -> None:
    """Trap T27: the name of the account means another one now."""
    charge = world.charge()
    row = world.approved(charge)
    world.acts = replace(world.acts, **configured)
    world.act()
    assert world.state(row) == "failed"
    assert "approved for" in world.proposal(row.id).reason
    assert not world.refunds(charge)


def test_a_lost_permission_fails_once_and_names_what_is_missing(world: World) -> None:
    """Trap T28: the key may no longer write."""
    charge = world.charge()
    row = world.approved(charge)
    everything = frozenset(
        f"rak_{name}_read" for name in ("charge", "refund", "payment_intent", "dispute", "accounts_kyc_basic")
    )
    world.sandbox.on_loop(lambda: setattr(world.account.keys[world.key], "permissions", everything))
    world.rest()
    assert world.state(row) == "failed"
    assert "rak_" in world.proposal(row.id).reason
    assert len(world.attempts(row.id)) == 1
    assert world.account.writes.total() == 1


def test_asked_to_wait_it_tries_again_with_the_same_key(world: World) -> None:
    """Trap T29: lock timeouts and 429, then it works."""
    charge = world.charge()
    row = world.approved(charge)
    world.fault(lock_timeouts=2)
    world.rest(step=timedelta(minutes=1))
    assert world.state(row) == "succeeded"
    assert len(world.refunds(charge)) == 1
    (attempt,) = world.attempts(row.id)
    assert (attempt.epoch, attempt.tries) == (1, 2)


def test_asked_to_wait_for_longer_than_the_approval_holds_it_expires(world: World) -> None:
    """Trap T29: the window elapses, and it is expired, not executed."""
    charge = world.charge()
    row = world.approved(charge)
    world.fault(lock_timeouts=1_000)
    world.rest()
    world.well()
    world.rest()
    assert world.state(row) == "expired"
    assert not world.refunds(charge)


def test_an_unreachable_stripe_is_waited_for_and_the_approval_expires_meanwhile(world: World) -> None:
    charge = world.charge()
    row = world.approved(charge)
    world.fault(outage="503")
    world.rest()
    assert world.state(row) == "expired"
    world.well()
    world.rest()
    assert not world.refunds(charge)


def test_two_refunds_of_one_charge_one_is_made_and_the_other_comes_back(world: World) -> None:
    """Two approved €60 refunds on one €100 charge."""
    charge = world.charge(10_000)
    first, second = world.approved(charge, 6_000), world.approved(charge, 6_000)
    world.rest()
    assert sorted([world.state(first), world.state(second)]) == ["stale", "succeeded"]
    assert [each["amount"] for each in world.refunds(charge)] == [6_000]


def test_while_one_is_unknown_nothing_else_is_begun_on_the_same_object(world: World) -> None:
    charge = world.charge(20_000)
    first = world.approved(charge, 6_000)
    world.fault(errors_before_write=1)
    world.act()
    world.later(minutes=1)
    world.act()
    assert world.state(first) == "unknown"
    second = world.approved(charge, 6_000, expires_in=48 * HOUR)
    world.rest()
    assert world.state(second) == "approved"
    assert not world.refunds(charge)


def test_equal_partial_refunds_that_were_both_meant_are_both_made(world: World) -> None:
    """Trap E3: the key comes from the proposal, not from the amount."""
    charge = world.charge(10_000)
    first = world.approved(charge, 2_000)
    world.act()
    second = world.approved(charge, 2_000)
    world.act()
    assert [world.state(first), world.state(second)] == ["succeeded", "succeeded"]
    assert [each["amount"] for each in world.refunds(charge)] == [2_000, 2_000]


def test_a_refund_that_is_pending_leaves_its_case_waiting_for_stripe(world: World) -> None:
    """Trap T30: pending first; what becomes of it, events and looks tell."""
    charge = world.charge()
    row = world.approved(charge)
    world.fault(refunds_pending_s=120)
    world.act()
    assert world.state(row) == "succeeded"
    assert world.substate(row) == "awaiting_stripe"
    assert world.attempts(row.id)[0].object_status == "pending"


def test_after_the_switch_is_flipped_nothing_is_claimed(world: World) -> None:
    """Trap T33: five are approved, the switch is flipped, and none is claimed after that commit."""
    rows = [world.approved(world.charge()) for _ in range(5)]
    with world.store.transaction() as session:
        stops.stop(session, world.slug, "ana", world.now())
    world.rest()
    assert {world.state(row) for row in rows} == {"expired"}
    assert not any(world.attempts(row.id) for row in rows)


def test_a_switch_flipped_between_claim_and_call_stops_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap T33: already claimed, and nothing was sent."""
    charge = world.charge()
    row = world.approved(charge)

    def flip() -> None:
        with world.store.transaction() as session:
            stops.stop(session, "", "ana", world.now())

    executor = world.executor()
    after(monkeypatch, executor, "_look", flip)
    executor.act(world.slug)
    assert world.state(row) == "approved"
    assert not world.refunds(charge)
    with world.store.transaction() as session:
        stops.go_on(session, "")
    world.later(minutes=1)
    world.act()
    assert world.state(row) == "succeeded"


def test_an_approval_that_no_longer_holds_is_taken_back(world: World) -> None:
    """Trap T09, where the executor meets it: the approver has lost the right since the vote."""
    charge = world.charge()
    row = world.approved(charge)
    world.holds = lambda session, row, now: "ana may not approve any more."
    world.rest()
    assert world.state(row) == "superseded"
    assert world.proposal(row.id, 2).state == "pending"
    assert not world.refunds(charge)


def test_a_mode_that_only_proposes_executes_nothing(world: World) -> None:
    charge = world.charge()
    row = world.approved(charge)
    world.acts = replace(world.acts, mode="propose")
    world.act()
    assert world.state(row) == "approved"
    assert not world.refunds(charge)


def test_what_the_caller_executes_is_never_claimed(world: World) -> None:
    charge = world.charge()
    row = world.approved(charge, execution="caller")
    world.rest(runs=3, step=timedelta(seconds=1))
    assert world.state(row) == "approved"
    assert not world.refunds(charge)


def test_a_refund_that_bears_our_tag_already_counts_as_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another copy of the database has made it: found by the tag, and nothing is sent."""
    charge = world.charge()
    row = world.approved(charge)
    made = objects.refund(
        "re_elsewhere", created=0, amount=6_000, currency="eur", charge=charge, status="succeeded",
        metadata={"reconciled_proposal": row.id},
    )  # fmt: skip
    executor = world.executor()
    after(monkeypatch, executor, "_intend", lambda: world.put(made))
    executor.act(world.slug)
    assert world.state(row) == "succeeded"
    assert world.attempts(row.id)[0].object_id == "re_elsewhere"
    assert world.account.writes.total() == 0


def test_a_split_brain_sends_nothing_after_its_lease(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traps T22 and E16: an executor that slept through its lease finds its claim taken, or does not call."""
    charge = world.charge()
    row = world.approved(charge)
    asleep = world.executor()

    def sleep() -> None:
        world.later(minutes=10)
        world.act()

    after(monkeypatch, asleep, "_intend", sleep)
    asleep.act(world.slug)
    assert len(world.refunds(charge)) == 1
    assert world.state(row) == "succeeded"


def test_an_executor_that_slept_after_its_intent_does_not_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap E16: whoever comes by after the lease may believe that nothing is under way, and so nothing may be."""
    charge = world.charge()
    row = world.approved(charge)
    asleep = world.executor()
    after(monkeypatch, asleep, "_intend", lambda: world.later(minutes=5))
    asleep.act(world.slug)
    assert not world.refunds(charge)
    assert world.state(row) == "executing"
    world.later(minutes=2)
    world.act()
    assert len(world.refunds(charge)) == 1


def test_a_step_with_a_token_that_is_not_the_newest_is_not_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap T22: somebody else has claimed it since, and has sent nothing yet."""
    charge = world.charge()
    row = world.approved(charge)
    asleep = world.executor()

    def sleep() -> None:
        world.later(minutes=10)
        world.act()  # puts it back
        world.later(seconds=6)
        assert world.executor()._claim(row) is not None

    after(monkeypatch, asleep, "_look", sleep)
    asleep.act(world.slug)
    assert not world.refunds(charge)
    assert [each.state for each in world.attempts(row.id)] == ["claimed"]


def test_an_executor_that_slept_before_its_intent_has_lost_its_claim(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap T22: the fencing token is compared before anything is sent."""
    charge = world.charge()
    row = world.approved(charge)
    asleep = world.executor()

    def sleep() -> None:
        world.later(minutes=10)
        world.act()  # puts it back
        world.later(seconds=6)
        world.act()  # claims it and does it

    after(monkeypatch, asleep, "_look", sleep)
    asleep.act(world.slug)
    assert len(world.refunds(charge)) == 1
    assert world.state(row) == "succeeded"
