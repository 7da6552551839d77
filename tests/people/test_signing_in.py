"""A link lets one person in, once and in time; a token is that person's or a program's, and what was taken is gone."""

import contextlib
import threading
from datetime import timedelta

import pytest

from daemon.core.approval.principal import OWNER
from daemon.desk.authority import Authority, Unauthorised
from daemon.desk.credentials import make
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.refusals import Refusal
from daemon.store import people, tokens
from daemon.store.db import Store
from tests.people.conftest import Clock
from tests.people.party import kinds, signed_in


def code_of(authority: Authority, bearer: str) -> str:
    with pytest.raises(Unauthorised) as refused:
        authority.principal(bearer)
    return refused.value.code


def test_a_link_signs_one_person_in_once(
    store: Store, governing: Governing, keyring: Keyring, clock: Clock
) -> None:
    invited = governing.add_person(OWNER, "alice", "approver", ["acme-eu"])
    made = keyring.sign_in(invited.code)
    who = Authority(store, clock).principal(made.secret)
    assert (who.id, who.name, who.role, who.person) == (
        invited.person.id,
        "alice",
        "approver",
        invited.person.id,
    )
    assert who.accounts == frozenset({"acme-eu"})
    with pytest.raises(Refusal, match="was used"):
        keyring.sign_in(invited.code)
    assert kinds(store) == ["person_added", "signed_in"]


def test_a_link_is_good_for_a_day(governing: Governing, keyring: Keyring, clock: Clock) -> None:
    late = governing.add_person(OWNER, "alice", "approver").code
    clock.passes(timedelta(hours=24))
    with pytest.raises(Refusal, match="older than 24 hours"):
        keyring.sign_in(late)
    again = governing.invite(OWNER, "alice").code
    clock.passes(timedelta(hours=23, minutes=59))
    assert keyring.sign_in(again).person is not None


def test_a_new_link_ends_the_one_before(governing: Governing, keyring: Keyring) -> None:
    first = governing.add_person(OWNER, "alice", "approver").code
    second = governing.invite(OWNER, "alice").code
    with pytest.raises(Refusal):
        keyring.sign_in(first)
    assert keyring.sign_in(second).person is not None


def test_of_many_who_come_with_one_link_at_once_one_comes_in(governing: Governing, keyring: Keyring) -> None:
    code = governing.add_person(OWNER, "alice", "approver").code
    came: list[str] = []
    begin = threading.Barrier(4)

    def come() -> None:
        begin.wait()
        with contextlib.suppress(Refusal):
            came.append(keyring.sign_in(code).secret)

    crowd = [threading.Thread(target=come) for _ in range(4)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(came) == 1


def test_neither_a_link_nor_a_token_lies_in_the_database(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    code = governing.add_person(OWNER, "alice", "approver").code
    made = keyring.sign_in(code)
    with store.reading() as session:
        connection = session.connection()
        everything = [
            str(row)
            for name in ("people", "invitations", "tokens", "journal", "changes")
            for row in connection.exec_driver_sql(f"SELECT * FROM {name}")
        ]
    assert everything
    assert not [row for row in everything if made.secret[4:] in row or code[8:] in row]


def test_what_is_shown_and_lets_nobody_in_says_why(
    store: Store, governing: Governing, keyring: Keyring, clock: Clock
) -> None:
    authority = Authority(store, clock)
    made = keyring.add_for_program(OWNER, "bot", "agent")
    assert code_of(authority, "") == "token_missing"
    assert code_of(authority, made.secret[:-1]) == "token_mistyped"
    assert code_of(authority, make("invitation")) == "token_mistyped"
    assert code_of(authority, make("token")) == "token_unknown"
    keyring.revoke(OWNER, "bot")
    assert code_of(authority, made.secret) == "token_revoked"
    alice = keyring.sign_in(governing.add_person(OWNER, "alice", "approver").code)
    governing.disable_person(OWNER, "alice")
    assert code_of(authority, alice.secret) == "person_disabled"


def test_what_was_taken_away_is_away_with_the_next_request(
    store: Store, governing: Governing, keyring: Keyring, clock: Clock
) -> None:
    authority = Authority(store, clock)
    secret = keyring.sign_in(governing.add_person(OWNER, "alice", "approver").code).secret
    assert authority.principal(secret).role == "approver"
    governing.change_person(OWNER, "alice", role="viewer", accounts=["acme-us"])
    who = authority.principal(secret)
    assert (who.role, who.accounts) == ("viewer", frozenset({"acme-us"}))


def test_the_owner_makes_tokens_for_somebody_until_that_person_has_signed_in(
    store: Store, governing: Governing, keyring: Keyring, clock: Clock
) -> None:
    invited = governing.add_person(OWNER, "alice", "approver")
    early = keyring.add_for_person(OWNER, "alice's script", "alice", ["acme-eu"])
    who = Authority(store, clock).principal(early.secret)
    assert (who.person, who.accounts) == (invited.person.id, frozenset({"acme-eu"}))
    alice = keyring.sign_in(invited.code)
    with pytest.raises(Refusal, match="only alice makes a token") as refused:
        keyring.add_for_person(OWNER, "another", "alice")
    assert (refused.value.code, refused.value.status) == ("role", 403)
    as_alice = Authority(store, clock).principal(alice.secret)
    assert keyring.add_for_person(as_alice, "my own", "alice").token.person_id == invited.person.id
    assert kinds(store) == ["person_added", "token_added", "signed_in", "token_added"]


def test_nobody_makes_a_token_in_somebody_elses_name(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    admin = signed_in(store, governing, keyring, "ann")
    bob = signed_in(store, governing, keyring, "bob", "approver")
    with pytest.raises(Refusal) as refused:
        keyring.add_for_person(admin, "in bob's name", "bob")
    assert refused.value.code == "role"
    with pytest.raises(Refusal) as refused:
        keyring.add_for_person(bob, "in ann's name", "ann")
    assert refused.value.code == "unknown_person"
    with pytest.raises(Refusal) as refused:
        keyring.add_for_program(bob, "bot", "agent")
    assert refused.value.code == "role"


def test_a_programs_token_never_votes_and_knows_whose_it_is(
    store: Store, governing: Governing, keyring: Keyring, clock: Clock
) -> None:
    admin = signed_in(store, governing, keyring, "ann")
    authority = Authority(store, clock)
    of_owner = authority.principal(keyring.add_for_program(OWNER, "bot", "agent", ["acme-eu"]).secret)
    assert (of_owner.person, of_owner.owner_person, of_owner.role) == (None, None, "agent")
    assert of_owner.accounts == frozenset({"acme-eu"})
    of_ann = authority.principal(keyring.add_for_program(admin, "ann's bot", "agent").secret)
    assert (of_ann.person, of_ann.owner_person) == (None, admin.person)


def test_a_tokens_use_is_noted_once_an_hour(store: Store, keyring: Keyring, clock: Clock) -> None:
    authority, made = Authority(store, clock), keyring.add_for_program(OWNER, "bot", "viewer")

    def used_at() -> object:
        authority.principal(made.secret)
        with store.reading() as session:
            return tokens.everything(session)[0].used_at

    first = used_at()
    assert first == clock.at
    clock.passes(timedelta(minutes=59))
    assert used_at() == first
    clock.passes(timedelta(minutes=1))
    assert used_at() == clock.at


def test_every_token_of_a_person_is_revoked_at_once(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    ann = signed_in(store, governing, keyring, "ann")
    keyring.add_for_person(ann, "script", "ann")
    assert len(keyring.revoke_all(OWNER, "ann")) == 2
    assert not [each for each in keyring.tokens(OWNER) if each.revoked_at is None]


def test_a_name_means_one_for_ever(store: Store, governing: Governing, keyring: Keyring) -> None:
    governing.add_person(OWNER, "alice", "approver")
    keyring.add_for_program(OWNER, "bot", "agent")
    keyring.revoke(OWNER, "bot")
    for name in ("alice", "bot"):
        with pytest.raises(Refusal, match="is or was somebody else's"):
            keyring.add_for_program(OWNER, name, "agent")
        with pytest.raises(Refusal, match="is or was somebody else's"):
            governing.add_person(OWNER, name, "viewer")
    for name in ("owner", "Loop", "", " alice", "a\nb", "x" * 65, "tab\tname"):
        with pytest.raises(Refusal) as refused:
            governing.add_person(OWNER, name, "viewer")
        assert refused.value.code == "bad_name"


def test_whoever_never_came_makes_nobody_a_second_reviewer(
    store: Store, governing: Governing, keyring: Keyring
) -> None:
    signed_in(store, governing, keyring, "ann", "approver")
    governing.add_person(OWNER, "ghost", "approver")
    governing.add_person(OWNER, "elsewhere", "approver", ["acme-us"])
    keyring.add_for_person(OWNER, "script", "elsewhere")

    def names(account: str) -> list[str]:
        with store.reading() as session:
            return [each.name for each in people.eligible(session, ("approver",), account)]

    assert names("acme-eu") == ["ann"]
    assert names("acme-us") == ["ann", "elsewhere"]
