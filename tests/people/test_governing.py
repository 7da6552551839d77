"""Once two admins have signed in, neither changes people, roles, limits or the policy alone."""

import pytest

from accounts.money import Money
from daemon.core.approval.principal import OWNER, Principal
from daemon.core.policy_difference import differences
from daemon.desk.authority import Authority
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.refusals import Refusal
from daemon.store import journal, people, policies
from daemon.store.db import Store
from daemon.store.people import Person
from tests.people.conftest import Clock
from tests.people.party import kinds, redeemed, signed_in

OLD = '[grace]\npast_due = "7d"\n'
NEW = '[grace]\npast_due = "8d"\n[[approve]]\naction = "refund"\napprovers = 1\n'
AUTOMATIC = NEW + '[[auto]]\naction = "refund"\naccount = "acme-eu"\neach = "5 EUR"\nday = "50 EUR"\n'


@pytest.fixture
def admins(store: Store, governing: Governing, keyring: Keyring) -> tuple[Principal, Principal]:
    """Two of them; the second was let in while there was only one."""
    ann = signed_in(store, governing, keyring, "ann")
    return ann, signed_in(store, governing, keyring, "ben")


def person(store: Store, name: str) -> Person | None:
    with store.reading() as session:
        return people.named(session, name)


def in_force(store: Store) -> policies.PolicyVersion | None:
    with store.reading() as session:
        return policies.active(session, "default")


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises(Refusal) as refused:
        call(*arguments)  # type: ignore[operator]
    return refused.value.code


def test_the_owner_acts_at_once_until_two_admins_have_signed_in(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    signed_in(store, governing, keyring, "ann")
    second = governing.add_person(OWNER, "ben", "admin")
    assert second.change is None, "ben was added, and has not come yet"
    assert governing.change_person(OWNER, "ben", limits=[Money(50_000, "eur")]) is None
    redeemed(store, keyring, second.code)
    third = governing.add_person(OWNER, "eve", "admin")
    assert third.change is not None
    assert person(store, "eve") is None
    assert kinds(store)[-1] == "change_proposed"


def test_a_change_takes_effect_when_another_admin_confirms_it(
    store: Store, governing: Governing, keyring: Keyring, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    invited = governing.add_person(ann, "carl", "approver", ["acme-eu"], [Money(50_000, "eur")])
    assert invited.change is not None
    with pytest.raises(Refusal, match="waits for a second admin"):
        keyring.sign_in(invited.code)
    assert refusal(governing.confirm, ann, invited.change) == "self_approval"
    assert person(store, "carl") is None
    governing.confirm(ben, invited.change)
    carl = person(store, "carl")
    assert carl is not None
    assert (carl.id, carl.role, carl.accounts) == (invited.person.id, "approver", frozenset({"acme-eu"}))
    assert carl.limits == (Money(50_000, "eur"),)
    assert keyring.sign_in(invited.code).person == carl
    with store.reading() as session:
        [noted] = journal.entries(session, kind="person_added", subject=("person", carl.id))
    assert noted.actor == "ben"
    assert f'"proposed_by":"{ann.id}"' in noted.body
    assert refusal(governing.confirm, ben, invited.change) == "already_decided"


@pytest.mark.parametrize("what", ["role", "limits", "disable", "invite"])
def test_no_right_changes_by_one_admin_alone(
    store: Store, governing: Governing, keyring: Keyring, admins: tuple[Principal, Principal], what: str
) -> None:
    ann, ben = admins
    added = governing.add_person(ann, "carl", "approver")
    assert added.change is not None
    governing.confirm(ben, added.change)
    before = person(store, "carl")
    change = {
        "role": lambda: governing.change_person(ann, "carl", role="admin"),
        "limits": lambda: governing.change_person(ann, "carl", limits=[Money(1, "eur")]),
        "disable": lambda: governing.disable_person(ann, "carl"),
        "invite": lambda: governing.invite(ann, "carl").change,
    }[what]()
    assert person(store, "carl") == before
    assert change is not None
    governing.confirm(ben, change)
    assert person(store, "carl") != before or what == "invite"


def test_an_admin_does_not_confirm_what_is_about_themselves(
    governing: Governing, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    change = governing.change_person(ann, "ben", limits=[Money(10**9, "eur")])
    assert change is not None
    assert refusal(governing.confirm, ben, change) == "self_approval"
    by_owner = governing.change_person(OWNER, "ben", role="viewer")
    assert by_owner is not None
    governing.confirm(ann, by_owner)


def test_nobody_but_another_admin_who_signed_in_confirms(
    store: Store, governing: Governing, keyring: Keyring, clock: Clock, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    approver = governing.add_person(ann, "carl", "approver")
    late = governing.add_person(ann, "dora", "admin")
    scoped = governing.add_person(ann, "eric", "admin", ["acme-eu"])
    for each in (approver, late, scoped):
        assert each.change is not None
        governing.confirm(ben, each.change)
    change = governing.change_person(ann, "carl", role="disputes")
    assert change is not None
    never_came = keyring.add_for_person(OWNER, "dora's script", "dora")
    dora = Authority(store, clock).principal(never_came.secret)
    carl, eric = redeemed(store, keyring, approver.code), redeemed(store, keyring, scoped.code)
    bot = Authority(store, clock).principal(keyring.add_for_program(ann, "bot", "agent").secret)
    for who in (OWNER, carl, eric, dora, bot):
        assert refusal(governing.confirm, who, change) == "role"
    governing.confirm(ben, change)


def test_a_change_that_is_withdrawn_never_takes_effect(
    store: Store, governing: Governing, keyring: Keyring, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    invited = governing.add_person(ann, "carl", "approver")
    assert invited.change is not None
    assert [each.id for each in governing.waiting(ben)] == [invited.change]
    governing.withdraw(ben, invited.change)
    assert governing.waiting(ben) == []
    assert refusal(governing.confirm, ben, invited.change) == "already_decided"
    assert person(store, "carl") is None
    assert kinds(store)[-1] == "change_withdrawn"


def test_a_change_of_rights_never_undoes_another_one(
    store: Store, governing: Governing, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    added = governing.add_person(ann, "carl", "approver")
    assert added.change is not None
    governing.confirm(ben, added.change)
    more = governing.change_person(ann, "carl", limits=[Money(1_000, "eur")])
    none = governing.change_person(ann, "carl", role="viewer")
    assert more is not None
    assert none is not None
    governing.confirm(ben, none)
    assert refusal(governing.confirm, ben, more) == "stale_version"
    carl = person(store, "carl")
    assert carl is not None
    assert (carl.role, carl.limits) == ("viewer", ())


def test_only_admins_of_all_accounts_change_anything(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    approver = signed_in(store, governing, keyring, "carl", "approver")
    scoped = redeemed(store, keyring, governing.add_person(OWNER, "eric", "admin", ["acme-eu"]).code)
    for who in (approver, scoped):
        assert refusal(governing.add_person, who, "x", "admin") == "role"
        assert refusal(governing.people, who) == "role"
        assert refusal(governing.activate_policy, who, "default", OLD) == "role"
        assert refusal(governing.waiting, who) == "role"


def test_what_cannot_be_meant_is_refused(governing: Governing) -> None:
    assert refusal(governing.add_person, OWNER, "bob", "agent") == "bad_role"
    assert refusal(governing.add_person, OWNER, "bob", "owner") == "bad_role"
    assert refusal(governing.add_person, OWNER, "bob", "viewer", ["acme-jp"]) == "bad_account"
    twice = [Money(1, "eur"), Money(2, "eur")]
    assert refusal(governing.add_person, OWNER, "bob", "viewer", [], twice) == "bad_limit"
    assert refusal(governing.disable_person, OWNER, "nobody") == "unknown_person"
    governing.add_person(OWNER, "bob", "viewer")
    assert refusal(governing.change_person, OWNER, "bob", "viewer") == "nothing_to_do"
    governing.disable_person(OWNER, "bob")
    assert refusal(governing.disable_person, OWNER, "bob") == "nothing_to_do"
    assert refusal(governing.invite, OWNER, "bob") == "disabled"
    governing.enable_person(OWNER, "bob")
    assert refusal(governing.enable_person, OWNER, "bob") == "nothing_to_do"


def test_a_sole_admins_policy_takes_effect_at_once_and_its_difference_is_written_down(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    ann = signed_in(store, governing, keyring, "ann")
    governing.activate_policy(OWNER, "default", OLD)
    done = governing.activate_policy(ann, "default", NEW)
    assert done.change is None
    assert done.differences[0] == "grace.past_due was “7d” and becomes “8d”."
    found = in_force(store)
    assert found is not None
    assert (found.hash, found.activated_by, found.confirmed_by) == (done.version, ann.id, None)
    with store.reading() as session:
        noted, _ = journal.entries(session, kind="policy_activated")
    assert (noted.actor, noted.subject) == ("ann", ("policy", "default"))
    assert "grace.past_due was “7d” and becomes “8d”." in noted.body
    assert refusal(governing.activate_policy, ann, "default", NEW) == "nothing_to_do"
    assert refusal(governing.activate_policy, ann, "default", "[grce]\n") == "bad_policy"
    assert refusal(governing.activate_policy, ann, "other", OLD) == "unknown_policy"


def test_a_policy_waits_for_a_second_admin(
    store: Store, governing: Governing, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    done = governing.activate_policy(ann, "default", AUTOMATIC)
    assert (done.change is not None, done.automatic_refunds) == (True, True)
    assert in_force(store) is None
    assert refusal(governing.confirm_policy, ann, done.version) == "self_approval"
    assert refusal(governing.confirm_policy, ben, done.version[:4]) == "unknown_change"
    assert governing.confirm_policy(ben, done.version[:12]) == done.version
    found = in_force(store)
    assert found is not None
    assert (found.hash, found.activated_by, found.confirmed_by) == (done.version, ann.id, ben.id)


def test_for_automatic_refunds_two_people_stand_and_the_owner_is_none(
    store: Store, governing: Governing, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    done = governing.activate_policy(OWNER, "default", AUTOMATIC)
    governing.confirm_policy(ann, done.version)
    found = in_force(store)
    assert found is not None
    assert (found.activated_by, found.confirmed_by) == (ann.id, None), "the owner may have been ann"
    assert refusal(governing.confirm_policy, ann, done.version) == "self_approval"
    governing.confirm_policy(ben, done.version)
    found = in_force(store)
    assert found is not None
    assert (found.activated_by, found.confirmed_by) == (ann.id, ben.id)
    assert refusal(governing.confirm_policy, ben, done.version) == "unknown_change"


def test_a_policy_that_was_proposed_against_another_one_is_proposed_again(
    store: Store, governing: Governing, admins: tuple[Principal, Principal]
) -> None:
    ann, ben = admins
    first = governing.activate_policy(ann, "default", OLD)
    second = governing.activate_policy(ann, "default", NEW)
    governing.confirm_policy(ben, first.version)
    assert refusal(governing.confirm_policy, ben, second.version) == "stale_version"
    found = in_force(store)
    assert found is not None
    assert found.hash == first.version
    assert [each.id for each in governing.waiting(ben)] == [second.change], "refused as a whole"


def test_what_a_policy_changes_is_said_line_by_line() -> None:
    assert differences(None, OLD) == ["grace.past_due is set to “7d”."]
    assert differences(OLD, "# the same\n" + OLD) == [
        "Only its wording or comments differ; it says the same."
    ]
    assert differences(AUTOMATIC, OLD) == [
        "grace.past_due was “8d” and becomes “7d”.",
        "approve.1.action is no longer set; it was “refund”.",
        "approve.1.approvers is no longer set; it was 1.",
        "auto.1.action is no longer set; it was “refund”.",
        "auto.1.account is no longer set; it was “acme-eu”.",
        "auto.1.each is no longer set; it was “5 EUR”.",
        "auto.1.day is no longer set; it was “50 EUR”.",
    ]
    rules = "".join(f"[accounts.a{n}.rules]\nplan_mismatch = false\n" for n in range(300))
    assert differences(OLD, rules)[-1] == "… and 101 more."
