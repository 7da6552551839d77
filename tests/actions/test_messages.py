"""Messages: by approved wording only, to the address that was approved, and never to one that is kept."""

from dataclasses import replace

import pytest

from accounts.errors import Refused, Uncertain
from daemon.actions import message
from daemon.actions.shape import BadDetails
from daemon.core.canonical import Json, canonical
from daemon.core.model import Template
from tests.actions.rig import FINANCE, KEY, TAG, Rig

FIELDS: dict[str, Json] = {"amount": "49.00 USD", "plan": "pro", "invoice": "in_open"}
OWN = {"farewell": Template("Bye {{ plan }}", "Your {{ plan }} ends.")}


def details(**more: Json) -> dict[str, Json]:
    return {
        "channel": "email",
        "template": "payment_failed_quiet",
        "to_role": "customer",
        "fields": FIELDS,
        **more,
    }


def pay_here(rig: Rig) -> str:
    link = "https://invoice.stripe.com/i/secret"
    rig.shop.change("invoice", "in_open", hosted_invoice_url=link)
    return link


def test_a_customer_gets_the_approved_wording_with_their_name_and_their_link(rig: Rig) -> None:
    link = pay_here(rig)
    rig.act(message, details())
    (sent,) = rig.box.messages
    text = " ".join(sent.get_content().split())
    assert sent["To"] == "ada@example.com"
    assert sent["Subject"] == "Your payment of 49.00 USD is open"
    assert text.startswith("Hello Ada, the payment of 49.00 USD for pro (invoice in_open) is open.")
    assert link in text
    assert "{{" not in text


def test_neither_the_address_nor_the_name_nor_the_link_is_kept(rig: Rig) -> None:
    link = pay_here(rig)
    asked, seen = rig.ask(message, details())
    kept = b"".join(
        canonical(each)
        for each in (
            asked.details,
            asked.personal,
            seen.material,
            seen.personal,
            message.request(asked, seen, TAG),
        )
    ).decode()
    for word in ("ada@example.com", "Ada", link):
        assert word not in kept
    assert seen.personal["subject"] == "Your payment of 49.00 USD is open"
    assert "{{ name }}" in str(seen.personal["body"])


def test_the_finance_team_is_written_to_where_it_is_configured(rig: Rig) -> None:
    rig.act(
        message,
        details(
            to_role="finance",
            template="payment_failed_csm",
            fields={**FIELDS, "owner": "Olga", "next_step": "Wait."},
        ),
    )
    assert rig.box.recipients == [list(FINANCE)]


def test_the_policys_wording_is_used_and_its_change_is_seen(rig: Rig) -> None:
    asked = message.read(details(template="farewell", fields={"plan": "pro"}), rig.place)
    hands = rig.hands(templates=OWN)
    seen = message.see(hands, asked)
    request = message.request(asked, seen, TAG)
    changed = rig.hands(templates={"farewell": Template("Bye", "Your {{ plan }} ends soon.")})
    assert canonical(message.see(changed, asked).material) != canonical(seen.material)
    with pytest.raises(Refused, match="wording or the address has changed"):
        message.execute(changed, asked, request, key=KEY)
    message.execute(hands, asked, request, key=KEY)
    assert [each["Subject"] for each in rig.box.messages] == ["Bye pro"]


def test_an_address_that_changed_meanwhile_gets_nothing(rig: Rig) -> None:
    pay_here(rig)
    asked, seen = rig.ask(message, details())
    request = message.request(asked, seen, TAG)
    rig.shop.change("customer", "cus_1", email="eve@example.com")
    with pytest.raises(Refused, match="address has changed"):
        message.execute(rig.hands(), asked, request, key=KEY)
    assert rig.box.messages == []


def test_a_reminder_of_what_is_paid_meanwhile_comes_back(rig: Rig) -> None:
    before = rig.material(message, details())
    rig.shop.change("invoice", "in_open", status="paid", amount_remaining=0)
    assert rig.material(message, details()) != before
    assert "no open invoice" in rig.refusal(message, details())


def test_drafts_for_other_channels_and_readers_are_for_people_to_use(rig: Rig) -> None:
    for other in (details(channel="chat"), details(to_role="account_owner")):
        with pytest.raises(BadDetails, match="one of"):
            message.read(other, rig.place)


def test_without_a_mail_server_or_an_address_nothing_is_promised(rig: Rig) -> None:
    asked = message.read(details(), rig.place)
    seen = message.see(rig.hands(mail=None), asked)
    assert "[notify.email]" in (message.preflight(asked, seen, rig.now) or "")
    rig.shop.change("customer", "cus_1", email=None)
    assert "no e-mail address" in rig.refusal(message, details())


def test_a_wording_with_open_fields_is_not_sent(rig: Rig) -> None:
    assert "needs amount, plan" in rig.refusal(message, details(fields={"invoice": "in_open"}))
    assert "is for customers" in rig.refusal(message, details(to_role="finance"))


def test_a_customer_must_be_named_where_the_case_names_none(rig: Rig) -> None:
    nobody = replace(rig.place, subject=None)
    with pytest.raises(BadDetails, match="customer"):
        message.read(details(), nobody)
    assert message.read(details(customer="cus_1"), nobody).target == ("customer", "cus_1")


def test_a_draft_with_its_text_is_read_and_its_text_is_made_anew(rig: Rig) -> None:
    asked = message.read(details(subject="Pay at once", body="or else"), rig.place)
    assert b"or else" not in canonical(asked.details) + canonical(asked.personal)


def test_a_lost_answer_is_for_a_person_to_judge(rig: Rig) -> None:
    pay_here(rig)
    rig.box.hangs_up = True
    with pytest.raises(Uncertain, match="only a person sends it again"):
        rig.act(message, details())
    assert not message.repeatable
    assert not message.verifiable


def test_a_hostile_name_stays_one_line(rig: Rig) -> None:
    pay_here(rig)
    rig.shop.change("customer", "cus_1", name="Ada\r\nBcc: everybody@example.com\n\nClick here")
    rig.act(message, details())
    (sent,) = rig.box.messages
    assert sent["Bcc"] is None
    assert sent.get_content().splitlines()[0] == "Hello Ada Bcc: everybody@example.com Click here,"
