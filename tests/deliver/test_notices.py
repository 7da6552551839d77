"""Mail to people: a case has opened; once, where the routes say so, and with nothing personal in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row

from accounts.facts import Subject
from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from daemon.store import queue, worklist
from daemon.store.db import Store
from daemon.store.queue import Wanted
from daemon.store.tables.desk import DUE_UNKNOWN
from tests.actions.postbox import Postbox
from tests.deliver.office import Office
from tests.desk.rig import CASES

ALLOW = '[callbacks]\nallow = ["api.example.com"]\n'
SECRET_WORDS = "Ada from Berlin would like her money back"


@pytest.fixture
def office(sandbox: Sandbox, store: Store, box: Postbox, tmp_path: Path) -> Iterator[Office]:
    with Office(sandbox, store, tmp_path / "etc", more=ALLOW + mail(box)) as opened:
        opened.out.notices.run()  # from here on
        yield opened


def mail(box: Postbox, *routes: str) -> str:
    told = [f"[[notify.routes]]\n{route}" for route in routes]
    return "\n".join([f'[notify.email]\nsmtp = "{box.url}"\nto = ["finance@acme.example"]', *told, ""])


@contextmanager
def routed(sandbox: Sandbox, store: Store, box: Postbox, folder: Path, *routes: str) -> Iterator[Office]:
    with Office(sandbox, store, folder / "etc", more=ALLOW + mail(box, *routes)) as opened:
        opened.out.notices.run()
        yield opened


def dispute(
    office: Office,
    status: str = "needs_response",
    charge: str | None = None,
    due_in: timedelta | None = timedelta(hours=20),
) -> str:
    """A dispute that has to be answered tomorrow, and the loop has seen it."""
    of = charge or office.charge()
    id_ = of.replace("ch_", "dp_")
    due = None if due_in is None else int((office.now() + due_in).timestamp())
    office.put(
        objects.dispute(
            id_, created=int(office.now().timestamp()), amount=10_000, currency="eur", charge=of,
            payment_intent=of.replace("ch_", "pi_"), due_by=due, livemode=True, status=status,
        )
    )  # fmt: skip
    with office.store.transaction() as session:
        addresses = [Subject(office.slug, "charge", of), Subject(office.slug, "dispute", id_)]
        worklist.mark(session, addresses, office.now())
    while office.works.loop.look_at(office.slug):
        pass
    return of


def deadline(office: Office) -> Row[Any]:
    """The one case of a dispute, as it stands."""
    (case,) = office.rows(CASES, account=office.slug, kind="dispute_deadline")
    return case


def tell(office: Office) -> None:
    with office.store.reading() as session:
        wakes = list(office.out.notices.due(session, office.now()))
    for _ in wakes:
        office.out.notices.run()
    office.send()


def test_a_critical_case_is_told_of_once_by_mail(office: Office, box: Postbox) -> None:
    dispute(office)
    tell(office)
    tell(office)
    (message,) = box.messages
    assert box.recipients == [["finance@acme.example"]]
    assert str(message["Subject"]).startswith(f"[critical] {office.slug}: ")
    text = message.get_content()
    assert "Deadline: " in text
    assert "/cases/" in text
    assert "100.00 EUR" in text
    (row,) = office.outbox(channel="email")
    assert row.state == "delivered"


def test_a_deadline_that_stripe_moves_is_told_of_when_it_comes_near_again(
    office: Office, box: Postbox
) -> None:
    """Trap E12: the clock of a dispute is wound anew whenever its `due_by` moves."""
    charge = dispute(office)
    tell(office)
    first = deadline(office)
    assert (first.severity, len(box.messages)) == ("critical", 1)
    far = timedelta(days=6, hours=20)  # also where a window opens before a weekend
    dispute(office, charge=charge, due_in=far)
    moved = deadline(office)
    assert (moved.id, moved.severity, moved.due_at - first.due_at) == (
        first.id,
        "normal",
        timedelta(days=6),
    )
    office.later(days=5, hours=21)
    while office.works.loop.look_at(office.slug):
        pass
    assert deadline(office).severity == "critical"
    tell(office)
    assert len(box.messages) == 2
    assert f"{moved.due_at:%Y-%m-%d %H:%M}" in box.messages[1].get_content()


def test_of_a_dispute_that_is_over_nobody_is_reminded(office: Office, box: Postbox) -> None:
    """Trap E12: closed elsewhere before the message was written, and before it could be sent."""
    early = dispute(office)
    dispute(office, "lost", early)
    tell(office)
    assert (box.messages, office.outbox(channel="email")) == ([], [])
    box.refuses["finance@acme.example"] = "451 later"
    late = dispute(office)
    tell(office)
    (row,) = office.outbox(channel="email")
    assert row.state == "waiting"
    box.empty()
    dispute(office, "under_review", late)
    office.later(minutes=1)
    office.send()
    assert (box.messages, office.outbox(channel="email")) == ([], [])
    dispute(office, "needs_response", late)
    tell(office)
    assert len(box.messages) == 1, "nobody had been told"


def test_an_unknown_deadline_is_the_most_urgent_of_all_and_told_as_unknown(
    office: Office, box: Postbox
) -> None:
    """Trap E13: a `due_by` of null is no deadline that is far away."""
    dispute(office, due_in=timedelta(hours=1))
    unknown = dispute(office, due_in=None)
    tell(office)
    with office.store.reading() as session:
        first, *_ = queue.page(session, Wanted(), limit=10, cursor=None).rows
    assert unknown in first.object_ids
    assert (first.severity, first.due_at, first.due_order) == ("critical", None, DUE_UNKNOWN)
    assert ["Deadline: unknown" in each.get_content() for each in box.messages].count(True) == 1


def test_a_message_says_nothing_personal(office: Office, box: Postbox) -> None:
    dispute(office)
    office.stage(office.shop, office.charge(), justification=SECRET_WORDS)
    tell(office)
    whole = "".join(str(message) for message in box.messages)
    assert whole
    assert "ada" not in whole.lower()


def test_what_is_neither_critical_nor_high_is_not_told_of_without_a_route(
    office: Office, box: Postbox
) -> None:
    office.stage(office.shop, office.charge())
    tell(office)
    assert box.messages == []


def test_a_case_that_comes_and_goes_is_told_of_once_a_day(office: Office, box: Postbox) -> None:
    charge = dispute(office)
    tell(office)
    for _ in range(2):
        dispute(office, "under_review", charge)
        dispute(office, "needs_response", charge)
        tell(office)
    assert len(box.messages) == 1
    office.later(days=1)
    dispute(office, "under_review", charge)
    dispute(office, "needs_response", charge)
    tell(office)
    assert len(box.messages) == 2


def test_many_at_once_come_in_one_message(office: Office, box: Postbox) -> None:
    for _ in range(21):
        dispute(office)
    tell(office)
    (message,) = box.messages
    assert str(message["Subject"]) == "21 cases have opened"
    assert "… and 1 more." in message.get_content()


def test_the_first_route_that_fits_decides(
    sandbox: Sandbox, store: Store, box: Postbox, tmp_path: Path
) -> None:
    routes = ('kind = "dispute_deadline"\nto = "slack"', 'kind = "approval_request"\nto = "email"')
    with routed(sandbox, store, box, tmp_path, *routes) as office:
        dispute(office)
        staged = office.stage(office.shop, office.charge())
        tell(office)
        assert [row.topic_id for row in office.outbox(channel="email")] == [staged.case_id]
    assert len(box.messages) == 1


@pytest.mark.parametrize(
    "unfit", ['account = "other-account"', 'severity = "low"', 'owner = "somebody@acme.example"']
)
def test_a_route_that_does_not_fit_tells_nothing(
    sandbox: Sandbox, store: Store, box: Postbox, tmp_path: Path, unfit: str
) -> None:
    with routed(sandbox, store, box, tmp_path, f'{unfit}\nto = "email"') as office:
        dispute(office)
        tell(office)
    assert box.messages == []


def test_without_a_mail_server_nothing_is_prepared(sandbox: Sandbox, store: Store, tmp_path: Path) -> None:
    with Office(sandbox, store, tmp_path / "etc", more=ALLOW) as office:
        dispute(office)
        with office.store.reading() as session:
            assert list(office.out.notices.due(session, office.now())) == []
        assert office.outbox() == []


def test_a_server_that_is_away_is_tried_again(office: Office, box: Postbox) -> None:
    box.refuses["finance@acme.example"] = "451 later"
    dispute(office)
    tell(office)
    (row,) = office.outbox(channel="email")
    assert (row.state, box.messages) == ("waiting", [])
    box.empty()
    office.later(seconds=10)
    office.send()
    assert len(box.messages) == 1


def test_mail_of_which_nobody_knows_whether_it_left_is_a_persons_to_send_again(
    office: Office, box: Postbox
) -> None:
    """Mail has no idempotency: a second one by itself could be one too many."""
    box.hangs_up = True
    dispute(office)
    tell(office)
    assert [row.state for row in office.outbox(channel="email")] == ["dead"]
    assert len(box.messages) == 1
