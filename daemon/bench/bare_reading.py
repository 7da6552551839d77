"""The least that reads subscriptions and keeps them: one client, one cursor, our decoding, an upsert for each page."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import psycopg

from accounts.stripe.connection import API_VERSION
from accounts.stripe.decoding import Decoding, stored
from accounts.stripe.shapes import Subscription
from daemon.bench.account import HASH_KEY
from daemon.bench.world import World

TABLE = """
    CREATE TABLE bare (account text, class_name text, id text, customer text, status text, created bigint, body {blob},
    PRIMARY KEY (account, class_name, id))
"""
UPSERT = """
    INSERT INTO bare VALUES ({places}) ON CONFLICT (account, class_name, id) DO UPDATE SET
    customer = excluded.customer, status = excluded.status, created = excluded.created, body = excluded.body
"""

Row = tuple[str, str, str, str | None, str, int, bytes]
Keep = Callable[[list[Subscription]], None]


def read(world: World, keep: Keep) -> int:
    """Gives every page of subscriptions to `keep`; how many there were."""
    decoding = Decoding(HASH_KEY)
    query = {"limit": "100", "status": "all", "expand[]": "data.discounts.source.coupon"}
    headers = {"Authorization": f"Bearer {world.key}", "Stripe-Version": API_VERSION}
    count, more = 0, True
    with httpx.Client(headers=headers, timeout=30, trust_env=False) as client:
        while more:
            response = client.get(f"{world.url}/v1/subscriptions?{urlencode(query, safe='[]')}")
            page = decoding.page(Subscription, response.content)
            keep(page.items)
            count += len(page.items)
            more = page.has_more
            query["starting_after"] = page.last_id or ""
    return count


def nowhere(read: list[Subscription]) -> None:
    """Keeps nothing."""


@contextmanager
def upserting(database: str) -> Iterator[Keep]:
    """A transaction for each page, as safe as the daemon's own for what can be read again."""
    if database.startswith("sqlite"):
        lite = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
        lite.execute("PRAGMA journal_mode = WAL")
        lite.execute("PRAGMA synchronous = NORMAL")
        lite.execute(TABLE.format(blob="blob"))

        def into_file(read: list[Subscription]) -> None:
            lite.execute("BEGIN IMMEDIATE")
            lite.executemany(UPSERT.format(places="?, ?, ?, ?, ?, ?, ?"), _rows(read))
            lite.execute("COMMIT")

        yield into_file
        lite.close()
        return
    with psycopg.connect(database) as server:
        server.execute(TABLE.format(blob="bytea"))

        def onto_server(read: list[Subscription]) -> None:
            with server.cursor() as cursor:
                cursor.executemany(UPSERT.format(places="%s, %s, %s, %s, %s, %s, %s"), _rows(read))
            server.commit()

        yield onto_server


def _rows(read: list[Subscription]) -> list[Row]:
    return [
        ("here", "subscription", one.id, one.customer, one.status, one.created, stored(one)) for one in read
    ]
