"""Whose key is it? Asked before anything else is done with it, and answered by Stripe alone.

`GET /v1/account` says it where the key may ask. Where not, the refusal names the account. Else the key must
open an object that is known to be this account's. A key that nothing speaks for is not used: what it does not
find might be another account's not having it.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from accounts.budget import Purpose
from accounts.errors import Forbidden, Malformed, Unproven, WrongAccount
from accounts.facts import ID_PATTERN, Address
from accounts.registry import Key
from accounts.stripe.answers import NoSuchObject
from accounts.stripe.connection import Connection
from accounts.stripe.decoding import understood
from accounts.stripe.resources import BY_NAME, BY_TYPE, Resource
from metrics.catalog import account_key_usable

ACCOUNT = BY_NAME["account"]
BALANCE = BY_NAME["balance"]


@dataclass(frozen=True, slots=True)
class Proven:
    """This key is this account's. Readers and writers are made from nothing less."""

    account: str  # our name for it
    stripe_account: str
    key: Key
    by: Literal["account", "refusal", "known object"]


class _Seen(msgspec.Struct):
    id: str | None = None
    deleted: bool = False
    livemode: bool | None = None


def prove(connection: Connection, stripe_account: str, known: Address | None = None) -> Proven:
    """Proves that the connection's key opens `stripe_account`.

    `known` is an object that was read from this account before. Raises WrongAccount where the key is another
    account's or of the other mode, Unproven where nothing says whose it is, Unauthorized where Stripe does not
    know it, and Unreachable where Stripe could not be asked.
    """
    account_key_usable.labels(connection.account).set(0)
    by = _by_owner(connection) or _by_known_object(connection, known)
    if by is None:
        raise Unproven(
            "Nothing says whose key this is: it may not read the account, and no object of the account is known "
            f"yet. Add the permission {ACCOUNT.permissions[0]} to the key.",
            account=connection.account,
        )
    if connection.key.on_behalf_of is not None:
        _open_connected(connection, stripe_account)
    elif by != "known object" and connection.key.owner != stripe_account:
        raise _foreign(connection, connection.key.owner, stripe_account)
    account_key_usable.labels(connection.account).set(1)
    return Proven(connection.account, stripe_account, connection.key, by)


def _by_owner(connection: Connection) -> Literal["account", "refusal"] | None:
    """The account that the key itself belongs to: with Connect, the platform."""
    by: Literal["account", "refusal"]
    try:
        owner = _ask(connection, ACCOUNT, ACCOUNT.path, as_owner=True).id
    except Forbidden as refusal:
        if refusal.key_account is None:
            return None
        owner, by = refusal.key_account, "refusal"
    else:
        by = "account"
    if owner != connection.key.owner:
        raise _foreign(connection, owner or "nobody", connection.key.owner)
    return by


def _by_known_object(connection: Connection, known: Address | None) -> Literal["known object"] | None:
    resource = BY_TYPE.get(known.type) if known is not None else None
    if known is None or resource is None or not ID_PATTERN.fullmatch(known.id):
        return None
    try:
        seen = _ask(connection, resource, f"{resource.path}/{known.id}")
    except NoSuchObject:
        raise Unproven(
            f"The key does not find {known.id}, which was this account's. It may be another account's key, or the "
            f"object is gone: add the permission {ACCOUNT.permissions[0]} to the key to settle it.",
            account=connection.account,
        ) from None
    except Forbidden:
        return None
    if seen.id != known.id:
        raise Malformed(f"Stripe answered with another object than {known.id}.", account=connection.account)
    if seen.livemode is not None and seen.livemode != connection.key.livemode:
        raise _other_mode(connection)
    # Ids are unique across accounts, so only this one's key can have found it; a tombstone proves less.
    return None if seen.deleted else "known object"


def _open_connected(connection: Connection, stripe_account: str) -> None:
    """A platform's key must open the connected account as well, which any answer but a refusal shows."""
    if connection.key.on_behalf_of != stripe_account:
        raise _foreign(connection, str(connection.key.on_behalf_of), stripe_account)
    try:
        seen = _ask(connection, BALANCE, BALANCE.path)
    except Forbidden as refusal:
        if not refusal.permissions:
            raise Unproven(
                "The platform's key does not open this account. Look at the Connect settings of the platform, and "
                "at the account's stripe_account.",
                account=connection.account,
            ) from None
        return
    if seen.livemode is not None and seen.livemode != connection.key.livemode:
        raise _other_mode(connection)


def _ask(connection: Connection, resource: Resource, path: str, *, as_owner: bool = False) -> _Seen:
    return connection.get(
        path,
        decode=_seen,
        resource=resource.name,
        endpoint=resource.endpoint,
        purpose=Purpose.LIVE_REREAD,  # a handful in a process's life, and without them nothing can be read
        as_owner=as_owner,
    ).content


def _seen(body: bytes) -> _Seen:
    with understood(_Seen):
        return msgspec.json.decode(body, type=_Seen)


def _foreign(connection: Connection, found: str, expected: str) -> WrongAccount:
    return WrongAccount(
        f"The key belongs to {found}, not to {expected}. It is not used. Put the right key in its place, or "
        "correct stripe_account.",
        account=connection.account,
    )


def _other_mode(connection: Connection) -> WrongAccount:
    mode = "live" if connection.key.livemode else "test"
    return WrongAccount(
        f"The key claims to be a {mode} key, and what it opens is not {mode}. It is not used.",
        account=connection.account,
    )
