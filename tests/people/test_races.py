"""Two who decide the same change at once: one of them does; and the switch that is flipped while somebody claims."""

import threading
from collections.abc import Callable

from daemon.core.approval.principal import OWNER
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.refusals import Refusal
from daemon.desk.stopping import Switch
from daemon.store import people, stops
from daemon.store.db import Store
from tests.people.party import kinds, signed_in

WAIT_S = 30.0  # far longer than anything takes here


def both(*calls: Callable[[], object]) -> list[str]:
    """Does these at once; what each came to, in order of the words."""
    begin, came = threading.Barrier(len(calls)), list[str]()

    def run(call: Callable[[], object]) -> None:
        begin.wait(WAIT_S)
        try:
            call()
            came.append("done")
        except Refusal as refusal:
            came.append(refusal.code)

    crowd = [threading.Thread(target=run, args=(call,)) for call in calls]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join(WAIT_S)
    return sorted(came)


def test_a_change_is_confirmed_or_withdrawn_and_never_both(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    ann = signed_in(store, governing, keyring, "ann")
    ben = signed_in(store, governing, keyring, "ben")
    for number in range(5):
        invited = governing.add_person(OWNER, f"carl {number}", "viewer")
        id = invited.change
        assert id is not None
        came = both(lambda: governing.confirm(ben, id), lambda: governing.withdraw(ann, id))  # noqa: B023
        assert came == ["already_decided", "done"]
        with store.reading() as session:
            added = people.named(session, f"carl {number}") is not None
        assert kinds(store)[-1] == ("person_added" if added else "change_withdrawn")


def test_two_changes_of_one_persons_rights_never_mix(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    signed_in(store, governing, keyring, "carl", "approver")
    signed_in(store, governing, keyring, "ann")
    ben = signed_in(store, governing, keyring, "ben")
    roles = [governing.change_person(OWNER, "carl", role=role) for role in ("viewer", "disputes")]
    one, other = (role for role in roles if role is not None)
    came = both(lambda: governing.confirm(ben, one), lambda: governing.confirm(ben, other))
    assert came == ["done", "stale_version"]


def test_t33_a_switch_that_is_flipped_waits_for_whoever_claims_and_stops_everybody_after(
    store: Store, switch: Switch
) -> None:
    claiming, flipped = threading.Event(), threading.Event()

    def flip() -> None:
        claiming.wait(WAIT_S)
        switch.off(OWNER)
        flipped.set()

    thread = threading.Thread(target=flip)
    thread.start()
    with store.transaction() as session:
        assert stops.stopped(session, "acme-eu", claiming=True) is None
        claiming.set()
        assert not flipped.wait(0.3), "the claim is not committed yet"
    thread.join(WAIT_S)
    with store.transaction() as session:
        assert stops.stopped(session, "acme-eu", claiming=True) is not None
