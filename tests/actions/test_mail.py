"""Mail: encrypted, to the addresses meant and nobody else, and honest about what nobody knows."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from accounts.errors import Refused, Uncertain
from accounts.mail import Mailer, MailServer
from accounts.secret import Secret
from tests.actions.postbox import HOST, Postbox, postbox
from tests.certificates import Issuer

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FINANCE = ("finance@example.com",)


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as one:
        yield one


def mailer(box: Postbox, **more: object) -> Mailer:
    server = MailServer(box.url, FINANCE, sender="billing@acme.example", **more)  # type: ignore[arg-type]
    return Mailer(server, now=lambda: NOON)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """Who signs for this machine, and whom nobody else trusts."""
    return Issuer()


def test_a_message_arrives_whole_and_tells_how_to_get_no_more_of_them(box: Postbox) -> None:
    sent = mailer(box).send(("ada@example.com",), "Zahlung: 1 €", "Grüße\n.\nEnde\n", key="k")
    (message,) = box.messages
    assert message["From"] == "billing@acme.example"
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Zahlung: 1 €")
    assert message.get_content().splitlines() == ["Grüße", ".", "Ende"]
    assert message["List-Unsubscribe"] == "<mailto:finance@example.com?subject=unsubscribe>"
    assert message["Message-ID"] == sent
    assert message["Date"].datetime == NOON


def test_the_same_key_is_the_same_message_to_whoever_receives_it(box: Postbox) -> None:
    sender = mailer(box)
    assert sender.send(FINANCE, "a", "b", key="k") == sender.send(FINANCE, "a", "b", key="k")
    assert sender.send(FINANCE, "a", "b", key="other") != sender.send(FINANCE, "a", "b", key="k")


def test_a_line_break_in_a_subject_becomes_no_header(box: Postbox) -> None:
    mailer(box).send(FINANCE, "Hello\r\nBcc: everybody@example.com", "b", key="k")
    assert box.messages[0]["Bcc"] is None
    assert box.recipients == [["finance@example.com"]]


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b\r\nBcc: c@d", "a b@example.com", "<a@example.com>", "a@example.com,b@example.com"],
)
def test_what_is_no_address_is_written_to_by_nobody(address: str, box: Postbox) -> None:
    with pytest.raises(Refused, match="no address"):
        mailer(box).send((address,), "a", "b", key="k")
    assert box.messages == []


def test_one_refused_address_stops_the_message_for_all(box: Postbox) -> None:
    box.refuses["gone@example.com"] = "550 no such user gone@example.com"
    with pytest.raises(Refused) as raised:
        mailer(box).send(("finance@example.com", "gone@example.com"), "a", "b", key="k")
    assert box.messages == []
    assert "gone@example.com" not in str(raised.value), "an address in an error would end in a log"


@pytest.mark.parametrize("when", ["the address", "the message"])
def test_what_is_taken_later_was_not_sent_now(when: str, box: Postbox) -> None:
    if when == "the address":
        box.refuses["ada@example.com"] = "451 greylisted"
    else:
        box.answer = "452 full"
    with pytest.raises(Uncertain, match="Nothing was sent") as raised:
        mailer(box).send(("ada@example.com",), "a", "b", key="k")
    assert raised.value.nothing_done


def test_a_refused_message_is_refused(box: Postbox) -> None:
    box.answer = "554 spam"
    with pytest.raises(Refused, match="554"):
        mailer(box).send(FINANCE, "a", "b", key="k")


def test_a_connection_that_breaks_after_the_message_leaves_it_unknown(box: Postbox) -> None:
    box.hangs_up = True
    with pytest.raises(Uncertain, match="Nobody knows") as raised:
        mailer(box).send(FINANCE, "a", "b", key="k")
    assert not raised.value.nothing_done
    assert len(box.messages) == 1


def test_a_server_that_is_not_there_was_sent_nothing() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        nobody = MailServer(f"smtp://{HOST}:{taken.getsockname()[1]}", FINANCE)
        with pytest.raises(Uncertain, match="Nothing was sent") as raised:
            Mailer(nobody).send(FINANCE, "a", "b", key="k")
    assert raised.value.nothing_done


def test_mail_and_password_go_out_encrypted(issuer: Issuer) -> None:
    with postbox(issuer.serving(HOST), user="billing") as box:
        sender = mailer(
            box,
            user="billing",
            password=lambda: Secret("open sesame"),
            trust=issuer.trusted,
        )
        sender.send(FINANCE, "a", "b", key="k")
        assert box.encrypted == [True]
        stranger = mailer(
            box,
            user="billing",
            password=lambda: Secret("open barley"),
            trust=issuer.trusted,
        )
        with pytest.raises(Refused, match="user and password"):
            stranger.send(FINANCE, "a", "b", key="k")


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(issuer: Issuer) -> None:
    with postbox(issuer.serving(HOST)) as box:
        with pytest.raises(Refused, match="certificate"):
            mailer(box).send(FINANCE, "a", "b", key="k")
        assert box.messages == []


def test_without_encryption_nothing_leaves_this_machine(
    box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.mail.LOOPBACK", frozenset[str]())
    with pytest.raises(Refused, match="STARTTLS"):
        mailer(box).send(FINANCE, "a", "b", key="k")
    assert box.messages == []
