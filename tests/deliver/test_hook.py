"""A program that is told of cases: signed, once, about the same cases as people are, and with nothing personal."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import standardwebhooks.webhooks
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.sandbox.server import Sandbox
from daemon.check.installation import check_installation
from daemon.store.db import Store
from tests.actions.postbox import Postbox
from tests.deliver.office import Office
from tests.deliver.receiver import Receiver
from tests.deliver.test_callbacks import clock_of
from tests.deliver.test_notices import ALLOW, SECRET_WORDS, dispute, mail, tell

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # the outbox itself is tried on both

NEW, OLD = (f"whsec_{base64.b64encode(bytes([each]) * 32).decode()}" for each in (1, 2))


def hooked(receiver: Receiver, *files: str) -> str:
    secrets = ", ".join(f'{{ file = "{file}" }}' for file in files)
    return f'[notify.webhook]\nurl = "{receiver.url}"\nsecrets = [ {secrets} ]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With both secrets in it."""
    inside = tmp_path / "etc"
    inside.mkdir()
    for name, text in (("new", NEW), ("old", OLD), ("wrong", "hunter2")):
        (inside / name).write_text(text)
        (inside / name).chmod(0o600)
    return inside


@pytest.fixture
def office(
    sandbox: Sandbox, store: Store, folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    with Office(sandbox, store, folder, more=ALLOW + hooked(receiver, "new", "old")) as opened:
        monkeypatch.setattr(standardwebhooks.webhooks, "datetime", clock_of(opened))
        opened.out.notices.run()  # from here on
        yield opened


def test_a_critical_case_is_told_once_and_signed_by_every_secret(office: Office, receiver: Receiver) -> None:
    dispute(office)
    tell(office)
    tell(office)
    (call,) = receiver.calls
    for secret in (NEW, OLD):
        Webhook(secret).verify(call.body, call.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(call.body + b" ", call.headers)
    (case,) = call.said["cases"]
    assert (call.said["type"], call.said["sequence"]) == ("cases.notice", 1)
    assert (case["kind"], case["severity"], case["account"]) == ("dispute_deadline", "critical", office.slug)
    assert (case["amount"], case["currency"], case["due_unknown"]) == (10_000, "eur", False)
    assert case["review_url"].endswith(f"/cases/{case['id']}")
    (row,) = office.outbox(channel="webhook")
    assert (row.state, call.headers["webhook-id"]) == ("delivered", row.id)


def test_it_says_nothing_personal(office: Office, receiver: Receiver) -> None:
    dispute(office)
    office.stage(office.shop, office.charge(), justification=SECRET_WORDS)
    tell(office)
    assert receiver.calls
    assert not [call for call in receiver.calls if b"ada" in call.body.lower()]


def test_many_at_once_come_in_one_call(office: Office, receiver: Receiver) -> None:
    for _ in range(21):
        dispute(office)
    tell(office)
    (call,) = receiver.calls
    assert len({each["id"] for each in call.said["cases"]}) == 21


def test_what_was_not_taken_is_tried_again_under_the_same_id(office: Office, receiver: Receiver) -> None:
    receiver.answers.append(500)
    dispute(office)
    tell(office)
    office.later(seconds=10)
    office.send()
    first, second = receiver.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


@pytest.mark.parametrize("routed", [False, True])
def test_people_and_a_program_are_both_told_and_a_route_chooses_one(
    sandbox: Sandbox, store: Store, folder: Path, receiver: Receiver, box: Postbox, routed: bool
) -> None:
    routes = ['kind = "dispute_deadline"\nto = "webhook"'] if routed else []
    more = ALLOW + mail(box, *routes) + hooked(receiver, "new")
    with Office(sandbox, store, folder, more=more) as office:
        office.out.notices.run()
        dispute(office)
        tell(office)
        assert (len(receiver.calls), len(box.messages)) == (1, 0 if routed else 1)


@pytest.mark.parametrize(("name", "why"), [("wrong", "whsec_"), ("missing", "cannot be read")])
def test_a_secret_that_is_none_signs_nothing_and_is_told_in_a_sentence(
    sandbox: Sandbox, store: Store, folder: Path, receiver: Receiver, name: str, why: str
) -> None:
    with Office(sandbox, store, folder, more=ALLOW + hooked(receiver, "new", name)) as office:
        office.out.notices.run()
        dispute(office)
        tell(office)
        (row,) = office.outbox(channel="webhook")
        assert (row.state, receiver.calls) == ("waiting", [])
        assert row.error.startswith("[notify.webhook] secrets: ")
        assert why in row.error


def test_check_names_a_route_that_leads_nowhere(
    sandbox: Sandbox, store: Store, folder: Path, box: Postbox
) -> None:
    with Office(sandbox, store, folder, more=mail(box, 'to = "webhook"', 'to = "email"')) as office:
        found = [each for each in check_installation(office.settings) if each.where == "notify.routes"]
    assert [(each.level, "[notify.webhook]" in each.sentence) for each in found] == [("problem", True)]


def test_check_names_a_secret_that_cannot_sign(sandbox: Sandbox, store: Store, folder: Path) -> None:
    with (
        Receiver() as receiver,
        Office(sandbox, store, folder, more=hooked(receiver, "new", "wrong")) as office,
    ):
        found = [
            each for each in check_installation(office.settings) if each.where == "notify.webhook.secrets"
        ]
    assert [each.level for each in found] == ["problem"]
    assert "hunter2" not in found[0].sentence
