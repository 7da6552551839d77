"""Who is asking: from the token that was shown to what its holder may do at this moment."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlmodel import Session

from daemon.core.approval.principal import OWNER_ID, Principal, Role
from daemon.core.canonical import Json
from daemon.desk.credentials import digest, kind_of
from daemon.store import people, tokens
from daemon.store.db import Store
from daemon.store.errors import StoreError
from daemon.store.tokens import Token

USE_NOTED_EVERY: Final = timedelta(hours=1)  # it shows which token is forgotten, and costs no write a request


class Unauthorised(Exception):
    """Nobody comes in with this. The code is for programs, the message for people; neither repeats what was shown."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Authority:
    """Asks the database each time, so that what was taken away is away."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def principal(self, bearer: str) -> Principal:
        """Who shows this token. Raises Unauthorised, or StoreError where the database does not answer."""
        now = self._now()
        with self._store.reading() as session:
            token = _token(session, bearer)
            found = _principal(session, token)
        if token.used_at is None or now - token.used_at >= USE_NOTED_EVERY:
            # A database that is too busy to note it lets them in all the same; the next request notes it.
            with suppress(StoreError), self._store.transaction() as session:
                tokens.touch(session, token.id, now)
        return found


def authority(who: Principal) -> dict[str, Json]:
    """What somebody was allowed at this moment, and how they came in: for the journal."""
    return {
        "who": who.id,
        "name": who.name,
        "role": who.role,
        "accounts": shown(who.accounts),
        "limits": [[each.amount_minor, each.currency] for each in who.limits],
        "way": who.way,
        "token": who.token_id,
        "for": who.owner_person,
        "stepped_up": who.stepped_up,
    }


def _token(session: Session, bearer: str) -> Token:
    if not bearer:
        raise Unauthorised(
            "token_missing",
            "Show a token: Authorization: Bearer rcl_…, or x-api-key. `reconciled login` gets one.",
        )
    match kind_of(bearer):
        case None:
            raise Unauthorised(
                "token_mistyped",
                "This is not a token as we make them: a character is missing, added or changed.",
            )
        case "invitation":
            raise Unauthorised(
                "token_mistyped",
                "This is the code of a sign-in link and no token; `reconciled login LINK` redeems it.",
            )
    token = tokens.of_digest(session, digest(bearer))
    if token is None:
        raise Unauthorised(
            "token_unknown", "This token is not known here. Does it belong to another installation?"
        )
    if token.revoked_at is not None:
        raise Unauthorised(
            "token_revoked", f"This token was revoked on {token.revoked_at:%Y-%m-%d at %H:%M} UTC."
        )
    return token


def _principal(session: Session, token: Token) -> Principal:
    if token.person_id is None:
        maker = people.one(session, token.added_by) if token.added_by != OWNER_ID else None
        return Principal(
            id=token.id,
            name=token.name,
            role=cast(Role, token.role),
            accounts=token.accounts,
            token_id=token.id,
            owner_person=maker.id if maker is not None else None,
        )
    person = people.one(session, token.person_id)
    assert person is not None, "nobody is ever removed"
    if person.disabled_at is not None:
        raise Unauthorised("person_disabled", f"{person.name} was disabled; an admin may tell why.")
    return Principal(
        id=person.id,
        name=person.name,
        role=cast(Role, person.role),
        person=person.id,
        accounts=both(person.accounts, token.accounts),
        limits=person.limits,
        token_id=token.id,
    )


def both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The accounts in both scopes, of which None is all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def shown(scope: frozenset[str] | None) -> Any:
    """A scope as it is stored and shown."""
    return None if scope is None else sorted(scope)
