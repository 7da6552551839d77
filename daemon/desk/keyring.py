"""Tokens, and signing in: who may make them for whom, and how a one-time link becomes a person's own token.

Somebody's own token is made in that person's login, or by the owner until the person has signed in for the first time:
after that nobody else can vote in their name. Only digests are kept; a token is shown once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from daemon.core.approval.principal import OWNER_ID, Principal
from daemon.core.canonical import Json
from daemon.desk.authority import authority, both, shown
from daemon.desk.credentials import digest, identifier, kind_of, make
from daemon.desk.names import free_name, known_accounts
from daemon.desk.refusals import Refusal
from daemon.store import journal, people, tokens
from daemon.store.db import Store
from daemon.store.journal import Note
from daemon.store.people import Person
from daemon.store.tokens import Token

PROGRAMS: Final = ("agent", "viewer", "auditor")


@dataclass(frozen=True, slots=True)
class Made:
    token: Token
    secret: str  # shown once
    person: Person | None = None


class Keyring:
    def __init__(self, store: Store, now: Callable[[], datetime], accounts: Collection[str]) -> None:
        self._store = store
        self._now = now
        self._accounts = accounts

    def sign_in(self, code: str) -> Made:
        """Redeems a link's code, once, for a token of the person whose link it is."""
        now = self._now()
        if kind_of(code) != "invitation":
            raise Refusal("unknown_link", "This is not a sign-in link as we make them; was it copied whole?")
        with self._store.transaction() as session:
            found = people.redeem(session, digest(code), now)
            person = people.one(session, found) if found is not None else None
            if person is None or person.disabled_at is not None:
                raise Refusal(
                    "unknown_link",
                    "This link was used, is older than 24 hours, or still waits for a second admin. "
                    "`reconciled users invite` makes another.",
                )
            people.sign_in(session, person.id, now)
            id = identifier("tok")
            made = _made(Token(id, f"login {id}", None, person.id, None, person.id, now), person)
            tokens.add(session, made.token, digest(made.secret))
            body: dict[str, Json] = {"token": id, "first": person.signed_in_at is None}
            journal.append(session, Note("signed_in", person.name, body, subject=("person", person.id)), now)
            return made

    def add_for_person(
        self, who: Principal, name: str, person_name: str, accounts: Collection[str] = ()
    ) -> Made:
        """A token that votes as this person. Raises Refusal where somebody else asks for it."""
        scope = known_accounts(accounts, self._accounts)
        with self._store.transaction() as session:
            person = people.named(session, person_name)
            if person is None or (who.role not in {OWNER_ID, "admin"} and who.person != person.id):
                raise Refusal("unknown_person", f"There is nobody called “{person_name[:60]}”.")
            if who.person != person.id and (who.role != OWNER_ID or person.signed_in_at is not None):
                raise Refusal(
                    "role",
                    f"{person.name} has signed in, so only {person.name} makes a token that votes in this name: "
                    "with the login of `reconciled login`.",
                )
            if person.disabled_at is not None:
                raise Refusal("disabled", f"{person.name} is disabled.")
            scope = both(scope, who.accounts)
            token = Token(identifier("tok"), name, None, person.id, scope, who.id, self._now())
            return self._add(session, who, _made(token, person))

    def add_for_program(self, who: Principal, name: str, role: str, accounts: Collection[str] = ()) -> Made:
        """A token that never votes. Whose it is may not vote on what is asked for with it."""
        if who.role != OWNER_ID and (who.role != "admin" or who.person is None):
            raise Refusal("role", "Only an admin makes tokens for programs.")
        if role not in PROGRAMS:
            raise Refusal("bad_role", f"A program's token has one of these roles: {', '.join(PROGRAMS)}.")
        scope = known_accounts(accounts, self._accounts)
        if scope is not None and not all(map(who.sees, scope)):
            raise Refusal("role", "A token's accounts are among those of whoever makes it.")
        with self._store.transaction() as session:
            mine = scope if scope is not None else who.accounts
            token = Token(identifier("tok"), name, role, None, mine, who.id, self._now())
            return self._add(session, who, _made(token))

    def revoke(self, who: Principal, name: str) -> Token:
        """Ends a token at once, by its name or its id: one's own, or as an admin anybody's."""
        with self._store.transaction() as session:
            token = next(
                (
                    each
                    for each in self._of(session, who)
                    if name in {each.name, each.id} and not each.revoked_at
                ),
                None,
            )
            if token is None:
                raise Refusal("unknown_token", f"There is no token “{name[:60]}” that could be revoked.")
            self._revoke(session, who, [token])
            return token

    def revoke_all(self, who: Principal, person_name: str) -> list[Token]:
        """Ends every token of a person at once: whoever lost a laptop is locked out by it."""
        with self._store.transaction() as session:
            person = people.named(session, person_name)
            found = [
                each
                for each in self._of(session, who)
                if person is not None and each.person_id == person.id and not each.revoked_at
            ]
            if not found:
                raise Refusal("unknown_token", f"“{person_name[:60]}” has no token that could be revoked.")
            self._revoke(session, who, found)
            return found

    def tokens(self, who: Principal) -> list[Token]:
        """One's own; an admin's view is all of them."""
        with self._store.reading() as session:
            return self._of(session, who)

    def is_signed_in(self, person_name: str) -> bool:
        """Whether there is such a person who has signed in, and so makes tokens alone."""
        with self._store.reading() as session:
            person = people.named(session, person_name)
        return person is not None and person.signed_in_at is not None

    def names(self) -> Mapping[str, str]:
        """What people are called, by their ids."""
        with self._store.reading() as session:
            return {person.id: person.name for person in people.everybody(session)}

    def _of(self, session: Session, who: Principal) -> list[Token]:
        everything = tokens.everything(session)
        if who.role == OWNER_ID or (who.role == "admin" and who.accounts is None):
            return everything
        return [each for each in everything if who.person is not None and each.person_id == who.person]

    def _add(self, session: Session, who: Principal, made: Made) -> Made:
        free_name(session, made.token.name)
        tokens.add(session, made.token, digest(made.secret))
        token = made.token
        body: dict[str, Json] = {
            "name": token.name, "role": token.role, "person": token.person_id, "accounts": shown(token.accounts),
            "authority": authority(who),
        }  # fmt: skip
        journal.append(session, Note("token_added", who.name, body, subject=("token", token.id)), self._now())
        return made

    def _revoke(self, session: Session, who: Principal, found: Sequence[Token]) -> None:
        notes = []
        for token in found:
            tokens.revoke(session, token.id, self._now())
            body: dict[str, Json] = {"name": token.name, "authority": authority(who)}
            notes.append(Note("token_revoked", who.name, body, subject=("token", token.id)))
        journal.append_all(session, notes, self._now())


def _made(token: Token, person: Person | None = None) -> Made:
    return Made(token, make("token"), person)
