"""`reconciled callbacks` and `erase`, as an owner at the machine meets them."""

import json

import pytest

from accounts.facts import Subject
from daemon.deliver import TRIES_MAX
from daemon.store import personal, worklist
from daemon.store.personal import PERSONAL
from tests.deliver.office import Command, Office
from tests.deliver.receiver import Receiver
from tests.desk.rig import PROPOSALS

WORDS = "Ada from Berlin would like her money back"


def pieces(office: Office) -> list[str]:
    return [row.name for row in office.rows(PERSONAL, subject_id="cus_1")]


def test_what_was_not_delivered_is_listed_with_its_reason_and_sent_anew(
    office: Office, receiver: Receiver, reconciled: Command
) -> None:
    office.decide(office.asked(receiver.url))
    receiver.answers.extend([500] * TRIES_MAX)
    office.send_for_a_day()
    code, text = reconciled("callbacks", "list", "--state", "dead", "--json")
    (item,) = json.loads(text)["items"]
    assert code == 0
    assert (item["state"], item["tries"], item["receiver"]) == (
        "dead",
        TRIES_MAX,
        f"127.0.0.1:{receiver.port}",
    )
    assert "answered 500" in item["error"]
    assert item["id"] in reconciled("callbacks", "list")[1]
    assert reconciled("callbacks", "redeliver", item["id"])[0] == 0
    (entry,) = office.journal("callback_redelivered")
    assert (entry.actor, item["id"] in entry.body) == ("owner", True)
    office.later(minutes=1)
    office.send()
    assert office.outbox()[0].state == "delivered"
    assert json.loads(reconciled("callbacks", "list", "--state", "dead", "--json")[1]) == {"items": []}


def test_a_message_or_token_that_is_not_there_is_named_in_a_sentence(reconciled: Command) -> None:
    code, text = reconciled("callbacks", "redeliver", "msg_none")
    assert (code, "There is no message “msg_none”" in text) == (1, True)
    code, text = reconciled("callbacks", "secret", "nobody")
    assert (code, "There is no token “nobody”" in text) == (1, True)


def test_the_secret_that_is_printed_signs_and_a_rotation_is_journaled(
    office: Office, reconciled: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap T46: the owner hands the new secret over while the old one still signs."""
    (old,) = office.secrets()
    assert reconciled("callbacks", "secret", "shop") == (0, f"{old}\n")
    assert office.journal("callback_secret_rotated") == []
    monkeypatch.setattr("daemon.cli.callbacks.now", office.now)
    code, printed = reconciled("callbacks", "secret", "shop", "--rotate")
    new, still = office.secrets()
    assert (code, printed, still) == (0, f"{new}\n", old)
    (entry,) = office.journal("callback_secret_rotated")
    assert old not in entry.body
    assert new not in entry.body


def test_a_new_programs_callback_secret_is_shown_to_whoever_asks_for_it(reconciled: Command) -> None:
    assert reconciled("tokens", "add", "bot", "--role", "agent", "--json")[0] == 0
    code, text = reconciled("callbacks", "secret", "bot")
    assert (code, text.startswith("whsec_")) == (0, True)
    assert reconciled("callbacks", "secret", "bot")[1] == text


@pytest.mark.parametrize("by_case", [False, True], ids=["customer", "case"])
def test_erasing_removes_what_is_personal_and_the_chain_still_verifies(
    office: Office, reconciled: Command, by_case: bool
) -> None:
    """Trap T53: a right to be forgotten must not look like tampering."""
    staged = office.stage(office.shop, office.charge(), justification=WORDS)
    assert pieces(office)
    assert office.shown(staged)["proposal"]
    name = staged.case_id if by_case else "cus_1"
    before = len(pieces(office))
    code, text = reconciled("erase", name, "--account", office.slug, "--yes")
    assert (code, f"Erased {before} piece" in text) == (0, True)
    assert pieces(office) == []
    (entry,) = office.journal("personal_detail_erased")  # and the whole chain is as it was written
    assert (entry.actor, entry.account, entry.subject_id) == ("owner", office.slug, "cus_1")
    assert json.loads(entry.body) == {"pieces": before}
    assert WORDS not in json.dumps(office.shown(staged), default=str)
    assert office.rows(PROPOSALS, case_id=staged.case_id), "what was asked for and decided stays"
    assert reconciled("journal", "verify")[0] == 0


def test_what_was_written_while_a_payment_was_nobodys_goes_with_its_customer(
    office: Office, reconciled: Command
) -> None:
    charge = office.charge(customer=None)
    staged = office.stage(office.shop, charge, justification=WORDS)
    office.change_charge(charge, customer="cus_1")
    with office.store.transaction() as session:
        worklist.mark(session, [Subject(office.slug, "charge", charge)], office.now())
    while office.works.loop.look_at(office.slug):
        pass
    assert office.case(staged).subject_id == "cus_1"
    assert office.rows(PERSONAL, subject_id=charge)
    assert reconciled("erase", "cus_1", "--yes")[0] == 0
    assert not office.rows(PERSONAL)
    assert office.shown(staged)["untrusted"]["justifications"] == []


def test_an_account_is_asked_for_where_several_know_the_id(office: Office, reconciled: Command) -> None:
    office.stage(office.shop, office.charge(), justification=WORDS)
    with office.store.transaction() as session:
        there = personal.Piece(office.customer()._replace(account=office.other), "note")
        personal.write(session, office.desk.ground.seal, there, WORDS, office.now())
    code, text = reconciled("erase", "cus_1", "--yes")
    assert (code, "--account" in text) == (1, True)
    assert pieces(office)
    assert reconciled("erase", "cus_1", "--account", office.slug, "--yes")[0] == 0
    assert pieces(office) == ["note"], "the other account's stays"


def test_nothing_is_erased_against_somebodys_word_or_of_nobody(
    office: Office, reconciled: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.stage(office.shop, office.charge(), justification=WORDS)
    monkeypatch.setattr("daemon.cli.erasing.asked", lambda question: False)
    assert reconciled("erase", "cus_1", "--account", office.slug)[0] != 0
    assert pieces(office)
    code, text = reconciled("erase", "cus_none", "--yes")
    assert (code, "Nothing is known of “cus_none”" in text) == (1, True)
