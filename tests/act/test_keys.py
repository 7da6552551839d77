"""Idempotency keys that Stripe knows already: for the same call that is still under way, and for another one."""

from typing import Any

import pytest

from accounts.sandbox import objects
from accounts.sandbox.idempotency import IdempotencyKeys
from tests.act.test_executing import after
from tests.act.world import Plan, World, ours


def keys_of(world: World) -> IdempotencyKeys:
    """What the pretend Stripe remembers of this account's keys."""
    face: Any = dict(world.sandbox._app._faces)["/v1/"]
    keys: IdempotencyKeys = face._doors[world.account.id].keys
    return keys


@pytest.mark.parametrize("arrives", [True, False], ids=["it_is_done", "it_comes_to_nothing"])
def test_a_call_that_is_still_under_way_is_waited_for_and_never_joined_by_another(
    world: World, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    """Trap E5: 409, the key is in use: look for the effect, and only then send the same again."""
    charge = world.charge()
    row = world.approved(charge)
    key = f"rcl:{row.id}:v1:e1"

    def begin() -> None:
        now = int(world.now().timestamp())
        assert world.sandbox.on_loop(lambda: keys_of(world).begin(key, b"", now)) is None

    executor = world.executor()
    after(monkeypatch, executor, "_intend", begin)
    executor.act(world.slug)
    (attempt,) = world.attempts(row.id)
    assert (world.state(row), attempt.state) == ("executing", "sent")
    assert "another request with the same key is still running" in attempt.error
    assert not world.refunds(charge)
    if arrives:
        tag = {"reconciled_proposal": row.id}
        made = objects.refund(
            "re_under_way", created=0, amount=6_000, currency="eur", charge=charge, metadata=tag
        )
        world.put(made)
    else:
        world.sandbox.on_loop(lambda: keys_of(world).forget(key))
    world.later(minutes=1)
    world.act()
    world.rest()
    assert world.state(row) == "succeeded"
    assert [(each.epoch, each.idempotency_key) for each in world.attempts(row.id)] == [(1, key)]
    assert len(ours(world.refunds(charge), row.id)) == 1


def test_a_key_that_was_used_for_something_else_settles_nothing_and_is_not_replaced_by_itself(
    world: World,
) -> None:
    """Trap E5: 400, the key was reused with other parameters: it is unknown, says so, and a person decides."""
    charge, elsewhere = world.charge(), world.charge()
    row = world.approved(charge)
    writer = world.hands(Plan(), writing=True).writer
    assert writer is not None
    writer.refund({"charge": elsewhere, "amount": 1}, key=f"rcl:{row.id}:v1:e1")
    world.act()
    assert world.state(row) == "unknown"
    assert world.substate(row) == "exec_unknown"
    assert "can only be used with the same parameters" in world.attempts(row.id)[0].error
    world.rest()
    assert (world.state(row), world.refunds(charge)) == ("unknown", [])
    assert world.retry(row.id)
    world.act()
    assert world.state(row) == "succeeded"
    assert [each.epoch for each in world.attempts(row.id)] == [1, 2]
    assert len(ours(world.refunds(charge), row.id)) == 1
    assert world.journal().count("attempt_unknown") == 1
