"""The least that receives webhooks durably: one ASGI callable that checks the HMAC and commits in groups.

    python -m daemon.bench.bare_receiver DATABASE SECRET

It prints its port. It answers only what goes well, knows one account and one secret, counts nothing and wakes nobody;
its rows are those that the daemon stores, so what the daemon costs beyond it is what the daemon does beyond it.
"""

import asyncio
import hmac
import queue
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
import uvicorn

ANSWER = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"17")],
}
BODY = {"type": "http.response.body", "body": b'{"received":true}'}

INBOX = (
    "account", "event_id", "type", "object_type", "object_id", "customer", "created", "livemode", "is_foreign",
    "api_version", "source", "received_at", "webhook_at",
)  # fmt: skip
WORK = ("account", "kind", "id", "mark", "stale", "due", "takes", "failures")
UPSERT = "ON CONFLICT (account, kind, id) DO UPDATE SET mark = excluded.mark, stale = excluded.stale"

Row = tuple[object, ...]


class Object(msgspec.Struct):
    object: str
    id: str
    customer: str | None = None


class Data(msgspec.Struct):
    object: Object


class Event(msgspec.Struct):
    id: str
    type: str
    created: int
    api_version: str
    data: Data


Waiting = tuple[Event, "asyncio.Future[None]"]


def sqlite(address: str) -> Callable[[list[Row], list[Row]], None]:
    connection = sqlite3.connect(address, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")
    events, marks = (_insert("?", "inbox", INBOX), _insert("?", "worklist", WORK) + UPSERT)

    def commit(stored: list[Row], marked: list[Row]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(events + "ON CONFLICT DO NOTHING", stored)
        connection.executemany(marks, marked)
        connection.execute("COMMIT")

    return commit


def postgres(address: str) -> Callable[[list[Row], list[Row]], None]:
    connection = psycopg.connect(address, autocommit=True)
    whole = {"created", "received_at", "webhook_at", "due", "mark", "stale", "takes", "failures"}

    def kind(column: str) -> str:
        return "bigint" if column in whole else "bool" if column in {"livemode", "is_foreign"} else "text"

    def unnested(table: str, columns: tuple[str, ...]) -> str:
        arrays = ", ".join(f"%s::{kind(column)}[]" for column in columns)
        return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) "

    events, marks = unnested("inbox", INBOX), unnested("worklist", WORK) + UPSERT

    def commit(stored: list[Row], marked: list[Row]) -> None:
        once = {row[:3]: row for row in marked}.values()
        with connection.transaction():
            connection.execute(
                events + "ON CONFLICT DO NOTHING",
                [list(column) for column in zip(*stored, strict=True)],
            )
            connection.execute(marks, [list(column) for column in zip(*once, strict=True)])

    return commit


def _insert(hole: str, table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(hole for _ in columns)}) "


def serve(database: str, secret: bytes) -> None:
    commit = (
        sqlite(database.removeprefix("sqlite:///")) if database.startswith("sqlite") else postgres(database)
    )
    waiting: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
    decode = msgspec.json.Decoder(Event).decode
    loops: list[asyncio.AbstractEventLoop] = []

    def settle(group: list[Waiting]) -> None:
        for _, future in group:
            if not future.done():
                future.set_result(None)

    def write() -> None:
        number = 0
        while True:
            group = [waiting.get()]
            while not waiting.empty():
                group.append(waiting.get())
            number += 1
            at = time.time_ns() // 1_000
            stored: list[Row] = []
            marked: list[Row] = []
            for event, _ in group:
                of = event.data.object
                created = event.created * 1_000_000
                stored.append(("eu", event.id, event.type, of.object, of.id, of.customer, created, True, False,
                               event.api_version, "webhook", at, at))  # fmt: skip
                marked.append(("eu", of.object, of.id, number, number, at, 0, 0))
                if of.customer:
                    marked.append(("eu", "customer", of.customer, number, 0, at, 0, 0))
            commit(stored, marked)
            loops[0].call_soon_threadsafe(settle, group)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        chunks = []
        more = True
        while more:
            message = await receive()
            chunks.append(message["body"])
            more = message["more_body"]
        body = b"".join(chunks)
        header = dict(scope["headers"])[b"stripe-signature"]
        signed_at, _, signature = header.partition(b",v1=")
        expected = hmac.digest(secret, signed_at[2:] + b"." + body, "sha256").hex().encode()
        assert hmac.compare_digest(expected, signature)
        if not loops:
            loops.append(asyncio.get_running_loop())
        future = asyncio.get_running_loop().create_future()
        waiting.put((decode(body), future))
        await future
        await send(ANSWER)
        await send(BODY)

    threading.Thread(target=write, daemon=True).start()
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        app, http="httptools", loop="uvloop", lifespan="off", log_config=None, access_log=False, backlog=2_048,
        proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=60,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2].encode())
