"""Versions of policies: kept under their hash, and of each name at most one in force."""

from datetime import UTC, datetime

from daemon.core.policy import version_of
from daemon.store import policies
from daemon.store.db import Store

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_one_version_of_a_name_is_in_force_and_the_others_are_kept(store: Store) -> None:
    with store.transaction() as session:
        assert policies.active(session, "default") is None
        first, second = (policies.add(session, "default", text, NOW) for text in ("a = 1", "a = 2"))
        other = policies.add(session, "strict", "a = 1", NOW)
        for version in (first, other, second):
            policies.activate(session, version.name, version.hash, NOW)
    with store.reading() as session:
        assert policies.active(session, "default") == second
        assert policies.active(session, "strict") == other
        assert policies.version(session, "default", first.hash) == first


def test_a_version_that_is_added_again_stays_as_it_was(store: Store) -> None:
    with store.transaction() as session:
        version = policies.add(session, "default", "a = 1", NOW)
        policies.activate(session, "default", version.hash, NOW)
        assert policies.add(session, "default", "a = 1", NOW) == version
        assert policies.active(session, "default") == version


def test_the_store_and_the_core_call_a_version_the_same(store: Store) -> None:
    with store.transaction() as session:
        assert policies.add(session, "default", "a = 1", NOW).hash == version_of("a = 1")
