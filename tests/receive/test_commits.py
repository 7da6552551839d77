"""One commit for whoever waits, a 2xx only after it, and a 503 only for what could not be stored."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import text

from accounts.registry import Registry
from accounts.secret import Secret
from accounts.stripe.signatures import sign
from daemon.receive import route
from daemon.receive.route import Receiver
from daemon.store import intake, worklist
from daemon.store.db import Store
from daemon.store.errors import Unavailable
from metrics.catalog import webhook_rejected
from tests.databases import Server
from tests.exemplars import ids
from tests.receive.rig import ACCOUNTS, NOW, WAIT_S, Rig, code, counted, event, invoice, receiving

REFUSE_BAD_ON_SQLITE = """
    CREATE TRIGGER refuse BEFORE INSERT ON inbox WHEN NEW.event_id LIKE 'evt_bad%'
    BEGIN SELECT RAISE(ABORT, 'not this one'); END
"""
REFUSE_BAD_ON_POSTGRES = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.event_id LIKE 'evt_bad%' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION refuse()
"""


class Called:
    """A receiver that is called without a server, so that it is known who waits before anything is committed."""

    def __init__(self, store: Store) -> None:
        self.receiver = Receiver(store, Registry(ACCOUNTS, ()), lambda: NOW, lambda account: None)
        self._threads: list[threading.Thread] = []

    async def __call__(self, body: bytes) -> tuple[int, dict[str, Any]]:
        sent: list[Any] = []
        signature = sign(body, Secret("whsec_EU"), int(NOW.timestamp())).encode()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "path": "/webhooks/stripe/eu",
            "method": "POST",
            "headers": [(b"stripe-signature", signature)],
        }
        await self.receiver(scope, receive, send)
        return sent[0]["status"], msgspec.json.decode(sent[1]["body"])

    def begin(self) -> None:
        def start(name: str, run: Any) -> None:
            self._threads.append(threading.Thread(target=run, name=name))
            self._threads[-1].start()

        self.receiver.start(start)

    def end(self) -> None:
        self.receiver.stop()
        for thread in self._threads:
            thread.join(WAIT_S)


def answers(store: Store, bodies: Sequence[bytes]) -> list[tuple[int, dict[str, Any]]]:
    """What is answered to requests that all wait already when the writer begins."""
    called = Called(store)

    async def at_once() -> list[tuple[int, dict[str, Any]]]:
        waiting = [asyncio.create_task(called(body)) for body in bodies]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        called.begin()
        return await asyncio.wait_for(asyncio.gather(*waiting), WAIT_S)

    try:
        return asyncio.run(at_once())
    finally:
        called.end()


def bodies(*ids: str) -> list[bytes]:
    return [msgspec.json.encode(event(id, of=invoice(f"in_{id}"))) for id in ids]


def stored(store: Store) -> set[str]:
    with store.reading() as session:
        return set(session.scalars(text("SELECT event_id FROM inbox")))


def test_those_who_wait_together_are_committed_together(store: Store) -> None:
    told = answers(store, bodies(*(f"evt_{number}" for number in range(40))))
    assert told == [(200, {"received": True, "duplicate": False})] * 40
    with store.reading() as session:
        numbers = set(session.scalars(text("SELECT mark FROM worklist WHERE kind = 'invoice'")))
    assert len(numbers) == 1  # one number is drawn for each commit
    assert len(stored(store)) == 40


def test_one_event_twice_in_one_commit_is_new_once(store: Store) -> None:
    """Trap A1: two copies of an event that come at once are one."""
    told = answers(store, bodies("evt_1", "evt_1", "evt_2", "evt_1"))
    assert [body["duplicate"] for _, body in told] == [False, True, False, True]
    assert stored(store) == {"evt_1", "evt_2"}


def test_what_is_refused_in_a_commit_does_not_disturb_the_others(store: Store) -> None:
    told = answers(store, [*bodies("evt_1"), b"{", *bodies("evt_2")])
    assert [status for status, _ in told] == [200, 400, 200]
    assert stored(store) == {"evt_1", "evt_2"}


def test_only_what_cannot_be_stored_is_answered_503(store: Store) -> None:
    with store.transaction() as session:
        session.execute(text(REFUSE_BAD_ON_SQLITE if store.place.path else REFUSE_BAD_ON_POSTGRES))
    with counted(webhook_rejected, reason="not_stored") as grown:
        told = answers(store, bodies("evt_1", "evt_bad_1", "evt_2", "evt_bad_2", "evt_1"))
    assert [status for status, _ in told] == [200, 503, 200, 503, 200]
    assert [body.get("duplicate") for _, body in told] == [False, None, False, None, True]
    assert told[1][1]["code"] == "not_stored"
    assert grown == [2]
    assert ids("webhook_rejected_total", reason="not_stored") == {"event_id": "evt_bad_2"}
    assert stored(store) == {"evt_1", "evt_2"}
    with store.transaction() as session:
        taken = worklist.take(session, "eu", now=NOW, lease=timedelta(minutes=1))
    assert {each.subject.id for each in taken} == {"in_evt_1", "in_evt_2", "cus_1"}


def test_a_database_that_refuses_everything_is_asked_again_later(rig_anywhere: Rig) -> None:
    """Trap A7: verified, and not committed: no 2xx, and it may come again."""
    rig = rig_anywhere
    assert rig.post(event()).status_code == 200
    rename(rig.store, "inbox", "elsewhere")
    response = rig.post(event("evt_2"))
    assert (response.status_code, code(response)) == (503, "not_stored")
    assert int(response.headers["retry-after"]) > 0
    rename(rig.store, "elsewhere", "inbox")
    assert rig.post(event("evt_2")).status_code == 200
    assert set(rig.inbox()) == {"evt_1", "evt_2"}


def rename(store: Store, old: str, new: str) -> None:
    with store.transaction() as session:
        session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_a_database_that_is_gone_keeps_nobody_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def gone(*_: object) -> list[bool]:
        tries.append(1)
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(intake, "commit", gone)
    told = answers(store, bodies(*(f"evt_{number}" for number in range(30))))
    assert {status for status, _ in told} == {503}
    assert len(tries) == 2


def test_a_connection_that_broke_costs_nobody_an_answer(server: Server, postgres_template: str) -> None:
    from daemon.store.db import open_store

    with server.database(postgres_template) as url, open_store(url) as store, receiving(store) as rig:
        assert rig.post(event()).status_code == 200
        with suppress(Exception), store.transaction() as session:
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        assert rig.post(event("evt_2")).status_code == 200
        assert set(rig.inbox()) == {"evt_1", "evt_2"}


def test_when_too_much_waits_the_next_is_told_to_come_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "HELD_BYTES_MAX", 100)
    with counted(webhook_rejected, reason="busy") as grown:
        response = rig.post(event())
    assert (response.status_code, code(response)) == (503, "busy")
    assert response.headers["retry-after"]
    assert grown == [1]
    monkeypatch.undo()
    monkeypatch.setenv("EU", "whsec_EU")
    assert rig.post(event()).status_code == 200


def test_what_was_held_is_let_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    body = msgspec.json.encode(event())
    monkeypatch.setattr(route, "HELD_BYTES_MAX", len(body) + 10)
    for _ in range(3):
        assert rig.post(body).status_code == 200
        assert rig.post(body, secret="whsec_WRONG").status_code == 400


def test_the_answer_comes_only_after_the_commit(rig: Rig) -> None:
    with rig.store.transaction() as session:  # nobody else commits meanwhile
        session.execute(text("SELECT 1"))
        answered: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answered.append(rig.post(event())))
        thread.start()
        thread.join(0.3)
        assert answered == []
        assert rig.inbox() == {}
    thread.join(WAIT_S)
    assert [response.status_code for response in answered] == [200]


def test_what_waits_when_the_receiver_is_stopped_is_stored_first(sqlite: Store) -> None:
    called = Called(sqlite)

    async def stopped() -> list[tuple[int, dict[str, Any]]]:
        waiting = [asyncio.create_task(called(body)) for body in bodies("evt_1", "evt_2")]
        await asyncio.sleep(0)
        called.receiver.stop()
        called.begin()
        return await asyncio.wait_for(asyncio.gather(*waiting), WAIT_S)

    assert [status for status, _ in asyncio.run(stopped())] == [200, 200]
    called.end()
    assert stored(sqlite) == {"evt_1", "evt_2"}
