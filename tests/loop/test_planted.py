"""Precision and recall: of everything that is planted in a pretend world, exactly that which should stand does."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accounts.sandbox import seeding
from accounts.sandbox.business.planted import Planted
from daemon.store import journal
from daemon.store.cases import CASES
from daemon.store.db import Store
from daemon.store.records import ENTITLEMENTS, RECORDS
from daemon.store.snapshots import SNAPSHOTS
from tests.loop.rig import Rig, rigged

OBSERVED = ("seen", "observed_at")  # what a second read of an unchanged row moves


def about(planted: Planted, row: Any) -> bool:
    return (
        row.kind == planted.kind
        and row.stripe_account == planted.account
        and planted.subject in (row.subject_id, *row.object_ids)
    )


def check(rig: Rig) -> None:
    rows = rig.standing()
    expected = rig.planted(expected=True)
    standing = {each: [row for row in rows if about(each, row)] for each in expected}
    assert [each for each, found in standing.items() if len(found) != 1] == []
    assert [each for each in rig.planted(expected=False) if any(about(each, row) for row in rows)] == []
    explained = {row.id for found in standing.values() for row in found}
    assert [(row.kind, row.title) for row in rows if row.id not in explained] == []


def everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """What must not move when nothing happened."""
    with store.reading() as session:
        tables = {of.name: of for of in (CASES, SNAPSHOTS, RECORDS, ENTITLEMENTS)}
        kept = {
            name: [tuple(row) for row in session.execute(select(*columns).order_by(*of.primary_key))]
            for name, of in tables.items()
            for columns in ([each for each in of.c if each.name not in OBSERVED],)
        }
        return kept | {"journal": [(journal.head(session).seq,)]}


@pytest.mark.parametrize("seed", [7, 11])
def test_what_is_planted_stands_and_nothing_else(store: Store, tmp_path: Path, seed: int) -> None:
    with rigged(store, tmp_path, seed=seed, customers=60) as rig:
        rig.read_everything()
        rig.rest()
        check(rig)


def test_a_second_pass_over_an_unchanged_world_changes_nothing(store: Store, tmp_path: Path) -> None:
    """Trap D9: nothing changed, nothing is written."""
    with rigged(store, tmp_path, customers=40) as rig:
        rig.read_everything()
        rig.rest()
        before = everything(store)
        rig.sandbox.advance("1m")
        rig.read_everything()
        rig.rest()
        assert everything(store) == before


def test_what_happens_later_is_found_by_its_events(store: Store, tmp_path: Path) -> None:
    with rigged(store, tmp_path, customers=130) as rig:
        rig.read_everything()
        rig.rest()
        rig.sandbox.advance("30m")
        rig.sandbox.on_loop(lambda: seeding.unfold(rig.sandbox.world))
        assert rig.hear()
        rig.rest()
        at_once = {
            "refund_failed",
            "payout_failed",
            "dispute_update",
            "unapproved_money_move",
            "dispute_deadline",
        }
        later = [each for each in rig.planted(expected=True) if each.kind in at_once]
        assert [each for each in later if not any(about(each, row) for row in rig.standing())] == []
        rig.sandbox.advance("11m")  # what disagrees has had its time to settle
        rig.read_records()
        rig.read_entitlements()
        rig.rest()
        check(rig)
