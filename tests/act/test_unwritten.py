"""Nothing is done that cannot be written down first: the journal is away, at every step on which something depends."""

import pytest
from sqlalchemy import text

from daemon.store.db import Store
from tests.act.test_executing import after
from tests.act.world import World


def rename(store: Store, old: str, new: str) -> None:
    with store.transaction() as session:
        session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def away(store: Store) -> None:
    rename(store, "journal", "journal_away")


def there_again(store: Store) -> None:
    rename(store, "journal_away", "journal")


def test_without_a_journal_nothing_is_claimed(world: World) -> None:
    """Trap E8: the audit store is unavailable: no action."""
    charge = world.charge()
    row = world.approved(charge)
    away(world.store)
    world.act()
    there_again(world.store)
    assert (world.state(row), world.refunds(charge), world.attempts(row.id)) == ("approved", [], [])
    world.act()
    assert world.state(row) == "succeeded"


def test_a_journal_that_goes_away_after_the_claim_keeps_the_call_from_being_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap E8: the intent is part of the journal's transaction, and no call is made without it."""
    charge = world.charge()
    row = world.approved(charge)
    executor = world.executor()
    after(monkeypatch, executor, "_look", lambda: away(world.store))
    executor.act(world.slug)
    there_again(world.store)
    assert (world.refunds(charge), world.account.writes.total()) == ([], 0)
    assert [each.state for each in world.attempts(row.id)] == ["claimed"]
    world.rest(runs=3)
    assert world.state(row) == "succeeded"
    assert len(world.refunds(charge)) == 1


def test_an_effect_whose_end_could_not_be_written_is_found_and_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap E8: it was done, and the journal was away when that was to be said: it is said later, and done once."""
    charge = world.charge()
    row = world.approved(charge)
    executor = world.executor()
    after(monkeypatch, executor, "_intend", lambda: away(world.store))
    executor.act(world.slug)
    there_again(world.store)
    assert (len(world.refunds(charge)), world.state(row)) == (1, "executing")
    world.rest(runs=3)
    assert world.state(row) == "succeeded"
    assert len(world.refunds(charge)) == 1
    assert world.journal().count("attempt_succeeded") == 1
