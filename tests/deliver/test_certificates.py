"""Callbacks over real TLS: who has to prove to be whom, although the connection goes to an address."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.callbacks import Allowed, Caller, NotTaken
from accounts.sandbox.server import Sandbox
from daemon.deliver import PAUSES
from daemon.store.db import Store
from tests.certificates import Issuer
from tests.deliver.office import Office
from tests.deliver.receiver import Receiver

HOST = "localhost"  # the one name that may lead to this machine, and only where it is named
PINNED = "127.0.0.2"  # where the name leads in these tests, and nothing of it is in a certificate

Refused = Callable[[Issuer], Receiver]


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


REFUSED: dict[str, tuple[Refused, str]] = {
    "another_name": (
        lambda issuer: Receiver(PINNED, issuer.serving("api.example.com")),
        "Hostname mismatch",
    ),
    "the_address_instead_of_the_name": (
        lambda issuer: Receiver(PINNED, issuer.serving(PINNED)),
        "Hostname mismatch",
    ),
    "expired": (
        lambda issuer: Receiver(PINNED, issuer.serving(HOST, ends_in=-timedelta(hours=1))),
        "certificate has expired",
    ),
    "not_yet_valid": (
        lambda issuer: Receiver(PINNED, issuer.serving(HOST, ends_in=timedelta(days=30))),
        "certificate is not yet valid",
    ),
    "untrusted": (
        lambda issuer: Receiver(PINNED, Issuer().serving(HOST)),
        "unable to get local issuer certificate|certificate signature failure",
    ),
}


def caller(issuer: Issuer, receiver: Receiver) -> Caller:
    allowed = Allowed([f"{HOST}:{receiver.port}"])
    return Caller(allowed, resolve=lambda host, port: [PINNED], trust=issuer.trusted)


def url(receiver: Receiver) -> str:
    return f"https://{HOST}:{receiver.port}/hook"


def test_a_right_certificate_is_taken_and_is_the_names_although_the_address_was_looked_up(
    issuer: Issuer,
) -> None:
    with Receiver(PINNED, issuer.serving(HOST)) as receiver:
        caller(issuer, receiver).post(url(receiver), {"x-a": "1"}, b'{"a":1}')
        (call,) = receiver.calls
        assert (call.said, call.headers["host"]) == ({"a": 1}, f"{HOST}:{receiver.port}")
        assert receiver.names == [HOST], "the server is told which name is meant"


@pytest.mark.parametrize("why", REFUSED)
def test_a_wrong_certificate_hears_nothing_and_is_told_in_a_sentence(issuer: Issuer, why: str) -> None:
    opened, said = REFUSED[why]
    with opened(issuer) as receiver:
        with pytest.raises(NotTaken, match=rf"The certificate of {HOST} is not accepted: .*({said})"):
            caller(issuer, receiver).post(url(receiver), {}, b"{}")
        assert receiver.calls == []


def test_without_tls_at_all_an_https_address_is_not_called(issuer: Issuer) -> None:
    with Receiver(PINNED) as receiver:
        with pytest.raises(NotTaken, match="could not be called"):
            caller(issuer, receiver).post(url(receiver), {}, b"{}")
        assert receiver.calls == []


def test_by_default_whom_the_system_trusts_is_trusted_and_nobody_else(issuer: Issuer) -> None:
    with Receiver(PINNED, issuer.serving(HOST)) as receiver:
        usual = Caller(Allowed([f"{HOST}:{receiver.port}"]), resolve=lambda host, port: [PINNED])
        with pytest.raises(NotTaken, match="is not accepted"):
            usual.post(url(receiver), {}, b"{}")
        assert receiver.calls == []


def test_a_wrong_certificate_is_tried_again_later_and_a_right_one_is_told(
    sandbox: Sandbox, store: Store, tmp_path: Path, issuer: Issuer
) -> None:
    with (
        Receiver(PINNED, issuer.serving(HOST)) as receiver,
        Office(
            sandbox, store, tmp_path / "etc", more=f'[callbacks]\nallow = ["{HOST}:{receiver.port}"]\n'
        ) as office,
    ):
        allow, leads_to = [f"{HOST}:{receiver.port}"], [PINNED]
        wary = office.deliver(allow, lambda host, port: leads_to, trust=Issuer().trusted)
        office.decide(office.asked(url(receiver)))
        office.send(wary)
        (row,) = office.outbox()
        assert (row.state, row.tries, receiver.calls) == ("waiting", 1, [])
        assert row.error.startswith(f"The certificate of {HOST} is not accepted")
        assert office.now() < row.due <= office.now() + PAUSES[0]
        office.later(seconds=PAUSES[0].total_seconds())
        office.send(office.deliver(allow, lambda host, port: leads_to, trust=issuer.trusted))
        (row,) = office.outbox()
        assert (row.state, row.error, len(receiver.calls)) == ("delivered", None, 1)
        assert receiver.calls[0].said["status"] == "approved"
