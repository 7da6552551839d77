"""Judging everything again: walks that survive a restart, and the brake on rules that want too much at once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session
from structlog.testing import capture_logs

from accounts.facts import Subject
from accounts.sandbox.business.records import moment
from accounts.sandbox.business.shop import Shop
from daemon import rejudge
from daemon.core.model import Kind
from daemon.observe.landscape import Cartographer
from daemon.rejudge import Rejudging
from daemon.store import held, journal, worklist
from daemon.store.db import Store
from tests.loop.rig import Rig, rigged


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=1, customers=110) as rig:
        rig.read_everything()
        rig.rest()
        rig.sandbox.advance("30m")
        yield rig


def churn(shop: Shop, statuses: tuple[str, ...] = ("active", "trial")) -> int:
    """The CRM calls everybody lost; it says that this was so for long."""
    changed = 0
    for each in shop.world.crm:
        if each["status"] in statuses:
            each |= {"status": "churned", "updated": moment(shop.now - 3600)}
            changed += 1
    return changed


def mismatches(rig: Rig) -> set[str]:
    return {row.id for row in rig.stands("crm_status_mismatch")}


def test_a_rule_that_wants_too_much_at_once_is_held_behind_one_case(rig: Rig) -> None:
    """Trap D6: a source that suddenly says something else of everybody."""
    before = mismatches(rig)
    rig.on("acme-eu", churn)
    rig.read_records()
    rig.rest()
    assert mismatches(rig) <= before
    (storm,) = rig.stands("rule_storm")
    assert storm.facts == {"stripe": {"rule": "crm_status_mismatch"}}
    told = storm.detail["notes"]
    assert 20 < told["count"] < told["subjects"] < 200
    assert len(told["examples"]) == 3


def test_what_is_held_opens_if_the_next_complete_pass_agrees(rig: Rig) -> None:
    before = mismatches(rig)
    rig.on("acme-eu", churn)
    rig.read_records()
    rig.rest()
    rig.sandbox.advance("15m")
    rig.read_records()
    rig.rest()
    assert len(mismatches(rig) - before) > 20
    assert rig.stands("rule_storm") == []


def test_what_is_held_is_forgotten_if_the_other_system_comes_to_its_senses(rig: Rig) -> None:
    before = mismatches(rig)
    kept = rig.on("acme-eu", lambda shop: [dict(each) for each in shop.world.crm])
    rig.on("acme-eu", churn)
    rig.read_records()
    rig.rest()

    def mend(shop: Shop) -> None:
        shop.world.crm[:] = kept

    rig.on("acme-eu", mend)
    for _ in range(2):
        rig.read_records()
        rig.rest()
        rig.sandbox.advance("11m")
    assert mismatches(rig) == before
    assert rig.stands("rule_storm") == []


def test_what_somebody_releases_opens(rig: Rig, store: Store) -> None:
    before = mismatches(rig)
    rig.on("acme-eu", churn)
    rig.read_records()
    rig.rest()
    with store.transaction() as session:
        subjects = held.release(session, "acme-eu", Kind.CRM_STATUS_MISMATCH)
        worklist.mark(
            session, [*subjects, Subject("acme-eu", "account", "acme-eu")], rig.now(), reading=False
        )
    rig.rest()
    assert len(mismatches(rig) - before) > 20
    assert rig.stands("rule_storm") == []


def test_a_first_pass_is_never_held_back(store: Store, tmp_path: Path) -> None:
    with rigged(store, tmp_path, accounts=1, customers=110) as rig:
        rig.on("acme-eu", churn)
        rig.read_everything()
        rig.rest()
        assert len(mismatches(rig)) > 20
        assert rig.stands("rule_storm") == []


def test_a_walk_that_was_interrupted_goes_on_where_it_was(
    rig: Rig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejudge, "SUBJECTS_A_STEP", 20)
    with store.transaction() as session:
        rig.works.rejudging.request(session, ["acme-eu"])
    assert rig.works.rejudging.step("acme-eu")
    assert rig.works.rejudging.step("acme-eu")
    rig.start_again()
    steps = 1
    while rig.works.rejudging.step("acme-eu"):
        steps += 1
    assert 4 <= steps < 10
    with store.reading() as session:
        assert rig.works.rejudging.under_way(session) == []


def test_the_walk_of_an_account_that_left_waits_for_its_return(rig: Rig, store: Store) -> None:
    works = rig.works
    without_it = Rejudging(store, Cartographer([]), works.observer, works.judging, rig.now)
    with store.transaction() as session:
        works.rejudging.request(session, ["acme-eu"])
    with store.reading() as session:
        assert without_it.under_way(session) == []
        assert works.rejudging.under_way(session) == ["acme-eu"]


class PowerCut(Exception):
    """What was committed last and did not wait for the disk is not there when the machine starts again."""


def test_steps_that_a_power_cut_takes_back_are_gone_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejudge, "SUBJECTS_A_STEP", 5)
    transaction, cuts = store.transaction, 0
    with rigged(store, tmp_path, accounts=1, customers=40) as rig:
        rig.read_everything()

        @contextmanager
        def cut(*, bulk: bool = False) -> Iterator[Session]:
            nonlocal cuts
            with suppress(PowerCut), transaction(bulk=bulk) as session:
                yield session
                if bulk and cuts < 8:
                    cuts += 1
                    raise PowerCut

        monkeypatch.setattr(store, "transaction", cut)
        while rig.works.rejudging.step("acme-eu"):
            rig.start_again()
        monkeypatch.setattr(store, "transaction", transaction)
        rig.rest()
        stands = {(row.id, row.digest) for row in rig.standing()}
        assert cuts == 8
        assert len(stands) > 10
        with store.transaction() as session:
            rig.works.rejudging.request(session, ["acme-eu"])
        rig.rest()
        assert {(row.id, row.digest) for row in rig.standing()} == stands


def test_no_case_moves_in_a_transaction_that_a_power_cut_may_take_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejudge, "SUBJECTS_A_STEP", 5)
    transaction = store.transaction
    noted: dict[bool, list[int]] = {True: [], False: []}

    @contextmanager
    def watched(*, bulk: bool = False) -> Iterator[Session]:
        with transaction(bulk=bulk) as session:
            before = journal.head(session).seq
            yield session
            noted[bulk].append(journal.head(session).seq - before)

    with rigged(store, tmp_path, accounts=1, customers=40) as rig:
        rig.read_everything()
        monkeypatch.setattr(store, "transaction", watched)
        while rig.works.rejudging.step("acme-eu"):
            pass
    assert len(noted[True]) > 5
    assert set(noted[True]) == {0}
    assert sum(noted[False]) > 10


def test_a_subject_that_breaks_a_rule_does_not_stop_the_walk(
    rig: Rig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.core.judge import judge

    subjects = [row.subject_id for row in rig.stands("access_without_payment")]

    def stumbling(facts: Any, policy: Any, now: Any) -> Any:
        if facts.subject.id == subjects[0]:
            raise ZeroDivisionError("a bug")
        return judge(facts, policy, now)

    monkeypatch.setattr("daemon.judging.judge", stumbling)
    before = {(row.id, row.digest) for row in rig.standing()}
    with store.transaction() as session:
        rig.works.rejudging.request(session, ["acme-eu"])
    with capture_logs():
        rig.rest()
    assert {(row.id, row.digest) for row in rig.standing()} == before
    with store.reading() as session:
        assert rig.works.rejudging.under_way(session) == []
