"""The neutral records of the pretend CRM and product: how faces page through them, find them and change them."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from accounts.sandbox.http import JSON, Request, Response
from accounts.sandbox.world import World

Json = dict[str, Any]

# Ours = what the generic faces, the tables and the files call it.
CRM_NAMES = {
    "key": "id",
    "stripe_customer": "stripe_customer_id",
    "stripe_account": "stripe_account",
    "name": "name",
    "owner": "owner",
    "segment": "segment",
    "status": "status",
    "plan": "plan",
    "mrr": "mrr",
    "currency": "currency",
    "renewal": "renewal_date",
    "updated": "updated_at",
}
ENTITLEMENT_NAMES = {
    "key": "id",
    "stripe_customer": "stripe_customer_id",
    "stripe_account": "stripe_account",
    "feature": "feature",
    "plan": "plan",
    "status": "status",
    "quantity": "quantity",
    "expires_at": "expires_at",
    "updated": "updated_at",
}


def named(record: Json, names: Mapping[str, str]) -> Json:
    """The record in another system's words."""
    return {theirs: record.get(ours) for ours, theirs in names.items()}


def find(records: list[Json], key: str) -> Json | None:
    return next((record for record in records if record["key"] == key), None)


def page(
    records: list[Json], start: int, rows: int, stripe_account: str | None = None
) -> tuple[list[Json], int | None]:
    """So many records from the start on, of one account if it is named, and where the next page starts."""
    wanted = (
        record for record in records if stripe_account is None or record["stripe_account"] == stripe_account
    )
    found = list(islice(wanted, start, start + rows + 1))
    return found[:rows], start + rows if len(found) > rows else None


def change(world: World, record: Json, changes: Mapping[str, object]) -> None:
    """Writes these fields of ours, as text where the record keeps text, and the moment at which it happened."""
    for name, value in changes.items():
        record[name] = value if value is None or isinstance(value, int) else str(value)
    record["updated"] = moment(world)


def moment(world: World) -> str:
    return datetime.fromtimestamp(world.clock.now(), UTC).isoformat().replace("+00:00", "Z")


def cached(request: Request, value: object) -> Response:
    """A JSON answer with a validator, or 304 where the asker has it already."""
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(304, b"", {"etag": tag})
    return Response(200, body, JSON | {"etag": tag})


def number(text: str | None, default: int) -> int:
    """A cursor or limit of ours; what is none begins anew."""
    return int(text) if text is not None and text.isdecimal() else default


def bearer(request: Request) -> str:
    """The token the request carries, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def decoded(body: bytes) -> Json | None:
    """The object that was sent, None for anything else."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
