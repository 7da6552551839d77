"""A copy of the database is put in use: nothing that was approved or under way when it was made happens again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from accounts.sandbox.server import Sandbox
from daemon.store import attempts
from daemon.store.backup import backup
from daemon.store.db import Store, open_store
from daemon.store.tables import table
from tests.act.world import World, ours
from tests.databases import Server
from tests.store.test_backup import restored

INSTALLATION = table("installation")
DAY = timedelta(days=1)


class Copies:
    """Makes a copy of the world's database, and turns the world to it: as after a disk was lost."""

    def __init__(self, world: World, url: str, server: Server, folder: Path) -> None:
        self._world, self._url, self._server, self._folder = world, url, server, folder
        self._file = folder / "copy.bak"
        self.opened: list[Store] = []

    def make(self) -> None:
        backup(self._url, self._file)

    def put_in_use(self) -> None:
        store = open_store(restored(self._world.store, self._file, self._server, self._folder))
        self.opened.append(store)
        self._world.store = store


@pytest.fixture
def copies(
    world: World, url: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Copies]:
    monkeypatch.setenv("PATH", str(server.programs), prepend=":")
    made = Copies(world, url, server, tmp_path)
    yield made
    for each in made.opened:
        each.close()


def test_what_was_done_after_the_copy_was_made_is_not_done_again(world: World, copies: Copies) -> None:
    """The promise's “restore from backup”: approved in the copy, and done since by the database that was lost."""
    charge = world.charge()
    row = world.approved(charge, expires_in=DAY)
    copies.make()
    world.act()
    assert len(world.refunds(charge)) == 1
    copies.put_in_use()
    world.rest()
    assert world.state(row) == "stale"
    again = world.proposal(row.id, 2)
    assert again.state == "pending"
    assert "restored" in again.reason
    assert len(world.refunds(charge)) == 1
    assert "database_restored" in world.journal()


@pytest.mark.parametrize(
    ("amount", "ends"),
    [
        pytest.param(4_000, "succeeded", id="found by its tag"),
        pytest.param(6_000, "failed", id="refused, since less is left than it asks for"),
    ],
)
def test_approved_again_in_the_copy_it_is_not_made_again(
    world: World, copies: Copies, amount: int, ends: str
) -> None:
    charge = world.charge()
    row = world.approved(charge, amount, expires_in=DAY)
    copies.make()
    world.act()
    copies.put_in_use()
    world.act()
    world.approve_again(row.id, 2)
    world.rest()
    assert world.proposal(row.id, 3).state == ends
    assert len(world.refunds(charge)) == 1


@pytest.mark.parametrize("arrived", [True, False])
def test_what_was_sent_when_the_copy_was_made_is_unknown_until_it_is_looked_for(
    world: World, copies: Copies, arrived: bool
) -> None:
    charge = world.charge()
    row = world.approved(charge, expires_in=DAY)
    world.fault(**{"answers_lost" if arrived else "writes_lost": 1})
    world.act()
    copies.make()
    copies.put_in_use()
    world.executor().begin()
    assert world.state(row) == "unknown"
    assert not world.retry(row.id), "only after it was verified"
    world.rest()
    assert world.state(row) == ("succeeded" if arrived else "unknown")
    assert len(world.refunds(charge)) == arrived
    if not arrived:
        assert world.retry(row.id)
        world.rest()
        assert len(ours(world.refunds(charge), row.id)) == 1


def test_what_was_verified_before_the_copy_was_made_is_verified_again(world: World, copies: Copies) -> None:
    charge = world.charge()
    row = world.approved(charge, expires_in=DAY)
    world.fault(errors_before_write=1)
    world.rest()
    assert world.state(row) == "unknown"
    copies.make()
    assert world.retry(row.id)
    world.act()  # the original does it
    copies.put_in_use()
    world.executor().begin()
    assert not world.retry(row.id)
    world.rest()
    assert world.state(row) == "succeeded"
    assert len(world.refunds(charge)) == 1


def test_what_was_claimed_when_the_copy_was_made_goes_back_to_people(world: World, copies: Copies) -> None:
    charge = world.charge()
    row = world.approved(charge, expires_in=DAY)
    claim = world.executor()._claim(row)
    assert claim is not None
    copies.make()
    copies.put_in_use()
    world.rest()
    assert world.state(row) == "stale"
    assert [each.state for each in world.attempts(row.id)] == ["outdated"]
    assert not world.refunds(charge)


def test_the_database_that_was_copied_goes_on_as_it_is(world: World, copies: Copies) -> None:
    charge = world.charge()
    row = world.approved(charge)
    copies.make()
    world.act()
    assert world.state(row) == "succeeded"


def test_a_copy_says_so_once(world: World, copies: Copies, sandbox: Sandbox) -> None:
    copies.make()
    copies.put_in_use()
    world.charge()
    for _ in range(2):
        world.executor().begin()
    assert world.journal().count("database_restored") == 1
    with world.store.reading() as session:
        found = session.execute(select(INSTALLATION)).one()
        assert found.copied_at is None
        assert found.restored_at == world.now()
        assert not attempts.due(session, world.now())
