"""The queue page by page: in order, nothing twice and nothing left out, whichever states are asked for."""

from datetime import timedelta
from typing import Any, get_args

import pytest
from sqlalchemy import Row, update

from daemon.bench.customers import NOW
from daemon.bench.queue import fill
from daemon.store import queue
from daemon.store.cases import CASES
from daemon.store.db import Store
from daemon.store.queue import ORDERS, Sort, Wanted

CASES_MADE = 45


@pytest.fixture
def filled(store: Store) -> Store:
    """A third of the cases snoozed, a third resolved."""
    ids = fill(store, CASES_MADE)
    with store.transaction() as session:
        snoozed = {"state": "snoozed", "snoozed_until": NOW + timedelta(days=1)}
        resolved = {"state": "resolved", "resolved_at": NOW}
        for some, values in ((ids[::3], snoozed), (ids[1::3], resolved)):
            session.execute(update(CASES).where(CASES.c.id.in_(some)).values(values))
    return store


@pytest.mark.parametrize("sort", get_args(Sort))
@pytest.mark.parametrize(
    "states", [("open",), ("open", "snoozed"), ("snoozed", "open", "snoozed"), ()], ids=str
)
def test_pages_are_one_list_cut_in_pieces(filled: Store, sort: Sort, states: tuple[str, ...]) -> None:
    wanted = Wanted(states=states, sort=sort)
    with filled.reading() as session:
        whole = queue.page(session, wanted)
        found: list[Row[Any]] = []
        cursor = None
        while True:
            listed = queue.page(session, wanted, limit=7, cursor=cursor)
            assert listed.total == whole.total == len(whole.rows)
            found += listed.rows
            if listed.next is None:
                break
            cursor = listed.next
    assert [row.id for row in found] == [row.id for row in whole.rows]
    keys = [tuple(getattr(row, name) for name in ORDERS[sort]) for row in found]
    assert keys == sorted(keys)
    assert {row.state for row in found} == set(states or ("open", "snoozed", "resolved"))
