"""Writing to a pretend Stripe: every action, done once, refused with a reason, or honestly uncertain."""

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stripe

from accounts.errors import Refused, Uncertain
from accounts.stripe.writes import Outcome, WriteClient, Writer
from metrics.catalog import REGISTRY
from tests.accounts.building import Opened, opened
from tests.sandbox.shop import Shop, open_shop


@pytest.fixture
def http() -> Iterator[WriteClient]:
    client = WriteClient()
    yield client
    client.close()


@pytest.fixture
def writer(shop: Shop, here: Opened, http: WriteClient) -> Writer:
    return Writer(here.prove(), shop.sandbox.url, http, here.limiter)


REFUND: stripe.params.RefundCreateParams = {
    "charge": "ch_1",
    "amount": 100,
    "metadata": {"reconciled_proposal": "p1"},
}

Act = Callable[[Writer], Outcome]
ACTIONS: dict[str, tuple[Act, str, str | None]] = {
    "refund": (lambda w: w.refund(REFUND, key="k"), "re_", "succeeded"),
    "capture": (lambda w: w.capture("pi_3", {"amount_to_capture": 4900}, key="k"), "pi_3", "succeeded"),
    "dispute_update": (
        lambda w: w.dispute_update("dp_1", {"evidence": {"product_description": "A chair"}, "submit": True}, key="k"),
        "dp_1", "under_review",
    ),
    "dispute_close": (lambda w: w.dispute_close("dp_1", key="k"), "dp_1", "lost"),
    "invoice_pay": (lambda w: w.invoice_pay("in_open", {}, key="k"), "in_open", "paid"),
    "invoice_send": (lambda w: w.invoice_send("in_open", key="k"), "in_open", "open"),
    "invoice_void": (lambda w: w.invoice_void("in_open", key="k"), "in_open", "void"),
    "invoice_uncollectible": (lambda w: w.invoice_uncollectible("in_open", key="k"), "in_open", "uncollectible"),
    "credit_note": (lambda w: w.credit_note({"invoice": "in_open", "amount": 100}, key="k"), "cn_", "issued"),
    "subscription_cancel": (lambda w: w.subscription_cancel("sub_1", {}, key="k"), "sub_1", "canceled"),
    "subscription_update": (
        lambda w: w.subscription_update("sub_1", {"cancel_at_period_end": True}, key="k"), "sub_1", "active",
    ),
    "subscription_pause": (lambda w: w.subscription_pause("sub_1", {}, key="k"), "sub_1", "paused"),
    "subscription_resume": (lambda w: w.subscription_resume("sub_paused", {}, key="k"), "sub_paused", "active"),
    "review_approve": (lambda w: w.review_approve("prv_1", key="k"), "prv_1", None),
    "payment_link": (
        lambda w: w.payment_link({"line_items": [{"price": "price_1", "quantity": 2}]}, key="k"), "plink_", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_is_done(name: str, writer: Writer) -> None:
    act, object_id, status = ACTIONS[name]
    outcome = act(writer)
    assert outcome.object_id.startswith(object_id)
    assert outcome.status == status
    assert not outcome.replayed
    assert outcome.request_id is not None


def test_the_same_key_does_it_once_and_says_that_it_repeats(shop: Shop, writer: Writer) -> None:
    first, second = writer.refund(REFUND, key="rcl:1:v1:e0"), writer.refund(REFUND, key="rcl:1:v1:e0")
    assert (first.object_id, first.replayed, second.replayed) == (second.object_id, False, True)
    assert shop.look("charge", "ch_1")["amount_refunded"] == 100
    assert writer.refund(REFUND, key="rcl:1:v1:e1").object_id != first.object_id


def test_the_same_key_for_something_else_is_refused(writer: Writer) -> None:
    writer.refund(REFUND, key="k")
    with pytest.raises(Refused) as raised:
        writer.refund({"charge": "ch_1", "amount": 200}, key="k")
    assert raised.value.code == "idempotency_error"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"charge": "ch_1", "amount": 999_999}, None),
        ({"charge": "ch_nobody", "amount": 5}, "resource_missing"),
        ({"charge": "ch_1"}, "not_sent"),
        ({"charge": "../ch_1", "amount": 5}, "not_sent"),
    ],
)
def test_what_stripe_refuses_is_refused_and_nothing_has_changed(
    params: stripe.params.RefundCreateParams, code: str | None, shop: Shop, writer: Writer
) -> None:
    with pytest.raises(Refused, match=r"^Account here: refund: ") as raised:
        writer.refund(params, key="k")
    assert code is None or raised.value.code == code
    assert shop.look("charge", "ch_1")["amount_refunded"] == 0


def test_evidence_is_never_submitted_by_leaving_a_word_away(shop: Shop, writer: Writer) -> None:
    with pytest.raises(Refused, match="submit"):
        writer.dispute_update("dp_1", {"evidence": {"product_description": "A chair"}}, key="k")
    staged = writer.dispute_update(
        "dp_1", {"evidence": {"product_description": "A"}, "submit": False}, key="k"
    )
    assert staged.status == "needs_response"
    assert shop.look("dispute", "dp_1")["evidence_details"]["submission_count"] == 0


def test_a_declined_card_is_refused_with_its_decline_code(shop: Shop, writer: Writer) -> None:
    with pytest.raises(Refused) as raised:
        writer.invoice_pay("in_refused", {}, key="k")
    assert raised.value.code == "lost_card"


@pytest.mark.parametrize(
    ("dial", "value", "done"),
    [
        ("answers_lost", 1, True), ("errors_after_write", 1, True), ("errors_before_write", 1, False),
        ("lock_timeouts", 1, False), ("outage", "drop", False), ("outage", "503", False), ("outage", "html", False),
        ("storm_reason", "global-rate", False), ("malformed_answers", 1, True), ("truncated_answers", 1, True),
    ],
)  # fmt: skip
def test_without_a_word_that_settles_it_a_write_is_uncertain(
    dial: str, value: object, done: bool, shop: Shop, writer: Writer
) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, dial, value))
    with pytest.raises(Uncertain):
        writer.refund(REFUND, key="k")
    shop.sandbox.on_loop(shop.account.faults.clear)
    assert (shop.look("charge", "ch_1")["amount_refunded"] == 100) is done


def test_a_stored_500_stays_uncertain_and_a_lost_answer_comes_back(shop: Shop, writer: Writer) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, "errors_after_write", 1))
    for _ in range(2):
        with pytest.raises(Uncertain):
            writer.refund(REFUND, key="stored")
    shop.sandbox.on_loop(lambda: setattr(shop.account.faults, "answers_lost", 1))
    with pytest.raises(Uncertain):
        writer.refund(REFUND, key="lost")
    assert writer.refund(REFUND, key="lost").replayed
    assert shop.look("charge", "ch_1")["amount_refunded"] == 200


def test_a_key_without_the_permission_is_refused_and_told_which_one(shop: Shop, writer: Writer) -> None:
    shop.sandbox.on_loop(
        lambda: setattr(shop.account.keys[shop.key], "permissions", frozenset({"rak_charge_read"}))
    )
    with pytest.raises(Refused, match=r"act_key may not do this\. Add rak_refund_write or rak_charge_write"):
        writer.refund(REFUND, key="k")
    shop.sandbox.on_loop(lambda: setattr(shop.account.keys[shop.key], "revoked", True))
    with pytest.raises(Refused, match="act_key is unknown"):
        writer.refund(REFUND, key="k")


def test_a_stripe_that_is_not_there_was_sent_nothing(here: Opened, http: WriteClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Writer(here.prove(), f"http://127.0.0.1:{taken.getsockname()[1]}", http, here.limiter)
        with pytest.raises(Uncertain, match="nothing was sent"):
            nobody.refund(REFUND, key="k")


def test_a_platforms_key_acts_on_the_connected_account(shop: Shop, http: WriteClient) -> None:
    connected = open_shop(shop.sandbox, platform=shop.account.id)
    with opened(shop.sandbox.url, connected.account.id, shop.key, owner=shop.account.id) as there:
        Writer(there.prove(), shop.sandbox.url, http, there.limiter).refund(REFUND, key="k")
    assert connected.look("charge", "ch_1")["amount_refunded"] == 100
    assert shop.look("charge", "ch_1")["amount_refunded"] == 0


def test_the_sdk_reports_nothing_logs_nothing_and_writes_no_file(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    writer.refund(REFUND, key="k")
    writer.refund(REFUND, key="k")
    assert not stripe.enable_telemetry
    assert list(tmp_path.iterdir()) == []
    assert "ch_1" not in "".join(record.getMessage() for record in caplog.records if record.name == "stripe")


def test_an_authorization_in_a_netrc_does_not_replace_the_key(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert writer.refund(REFUND, key="k").status == "succeeded"


def test_writes_are_counted(shop: Shop, writer: Writer) -> None:
    def counted(outcome: str) -> float:
        labels = {"endpoint": "refunds", "outcome": outcome}
        return REGISTRY.get_sample_value("reconciled_stripe_requests_total", labels) or 0.0

    before = {outcome: counted(outcome) for outcome in ("ok", "invalid")}
    writer.refund(REFUND, key="k")
    with pytest.raises(Refused):
        writer.refund({"charge": "ch_1", "amount": 999_999}, key="k2")
    assert {outcome: counted(outcome) - before[outcome] for outcome in before} == {"ok": 1, "invalid": 1}
