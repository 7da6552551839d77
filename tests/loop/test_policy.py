"""A policy that is put in force while the daemon runs: everything is judged by it, and every case says by which."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.scan import EVERYTHING
from daemon.store import policies
from daemon.store.db import Store
from daemon.wiring.flows import POLICIES
from tests.loop.rig import Rig, rigged


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Iterator[Rig]:
    with rigged(store, tmp_path, accounts=2, customers=40) as rig:
        rig.read_everything()
        rig.rest()
        yield rig


def put_in_force(rig: Rig, more: str) -> str:
    text = (rig.folder / "policy.toml").read_text() + more
    with rig.store.transaction() as session:
        version = policies.add(session, "default", text, rig.now())
        policies.activate(session, "default", version.hash, rig.now())
    return version.hash


def test_a_rule_that_is_switched_off_lets_its_cases_go_and_the_others_keep_theirs(rig: Rig) -> None:
    others = {row.id for row in rig.standing() if row.kind != "payment_without_access"}
    assert rig.stands("payment_without_access")
    version = put_in_force(rig, "\n[rules]\npayment_without_access = false\n")
    assert rig.outdated()
    rig.turns.wake(POLICIES, EVERYTHING)
    rig.rest()
    assert not rig.outdated()
    assert {row.id for row in rig.standing()} == others
    assert {row.policy_version for row in rig.standing()} == {version}


def test_a_switch_of_one_account_leaves_the_other_as_it_was(rig: Rig) -> None:
    before = {row.id for row in rig.stands("payment_failed") if row.account == "acme-us"}
    put_in_force(rig, "\n[accounts.acme-eu.rules]\npayment_failed = false\n")
    rig.turns.wake(POLICIES, EVERYTHING)
    rig.rest()
    assert {row.id for row in rig.stands("payment_failed")} == before


def test_a_restart_keeps_the_version_in_force_and_not_the_file(rig: Rig) -> None:
    version = put_in_force(rig, "\n[rules]\npayment_without_access = false\n")
    rig.start_again()
    assert rig.works.policies.of("acme-eu").version == version
