"""The kill switch: stops at once, says who stopped it, and is an admin's or the owner's."""

import pytest

from daemon.core.approval.principal import OWNER
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.refusals import Refusal
from daemon.desk.stopping import Switch
from daemon.store import stops
from daemon.store.db import Store
from tests.people.party import kinds, redeemed, signed_in


def why(store: Store, account: str) -> str | None:
    with store.transaction() as session:
        return stops.stopped(session, account, claiming=True)


def test_acting_stops_everywhere_or_in_one_account(store: Store, switch: Switch) -> None:
    assert why(store, "acme-eu") is None
    assert switch.off(OWNER, "acme-eu")
    assert why(store, "acme-eu") == "owner stopped all acting in acme-eu on 2026-11-21 at 12:00 UTC."
    assert why(store, "acme-us") is None
    assert switch.off(OWNER)
    assert why(store, "acme-us") == "owner stopped all acting in all accounts on 2026-11-21 at 12:00 UTC."
    assert switch.on(OWNER)
    assert why(store, "acme-us") is None
    assert why(store, "acme-eu") is not None, "each is let go on by itself"
    assert kinds(store) == ["acting_stopped", "acting_stopped", "acting_resumed"]


def test_stopping_again_changes_nothing(store: Store, switch: Switch) -> None:
    assert switch.off(OWNER)
    assert not switch.off(OWNER)
    assert switch.on(OWNER)
    assert not switch.on(OWNER)
    assert kinds(store) == ["acting_stopped", "acting_resumed"]


def test_only_an_admin_flips_it_and_only_where_they_see(
    store: Store, governing: Governing, keyring: Keyring, switch: Switch
) -> None:
    ann = signed_in(store, governing, keyring, "ann")
    carl = signed_in(store, governing, keyring, "carl", "approver")
    eric = redeemed(store, keyring, governing.add_person(OWNER, "eric", "admin", ["acme-eu"]).code)
    for who, account, code in (
        (carl, None, "role"),
        (carl, "acme-eu", "role"),
        (eric, None, "role"),
        (eric, "acme-us", "unknown_account"),
        (ann, "acme-jp", "unknown_account"),
    ):
        for flip in (switch.off, switch.on):
            with pytest.raises(Refusal) as refused:
                flip(who, account)
            assert refused.value.code == code
    assert switch.off(eric, "acme-eu")
    assert switch.off(ann)
    assert set(switch.stops(eric)) == {"", "acme-eu"}
    assert why(store, "acme-eu") is not None
