"""What is asked for, for each action as the surface names its details; what it then does, and what it depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from daemon.core.canonical import Json
from tests.actions.rig import Rig

Details = dict[str, Json]
Wrong = Mapping[str, object]


@dataclass(frozen=True)
class Example:
    details: Callable[[str], Details]  # by the key of the customer's record
    wrong: tuple[Wrong, ...]  # each laid over the details makes them mean nothing
    says: str  # of the sentence on the button
    done: Callable[[Rig], bool]  # whether the world is as described
    changes: Mapping[str, Callable[[Rig], object]] = field(
        default_factory=dict
    )  # each changes what is material
    writes: Mapping[str, int] = field(default_factory=dict)  # what Stripe is sent
    missing: Wrong | None = None  # laid over the details, they name something that does not exist


def _put(cls: str, id_: str, **changes: object) -> Callable[[Rig], object]:
    return lambda rig: rig.shop.change(cls, id_, **changes)


def _inside(cls: str, id_: str, part: str, **changes: object) -> Callable[[Rig], object]:
    return lambda rig: rig.shop.change(cls, id_, **{part: rig.shop.look(cls, id_)[part] | changes})


def _look(rig: Rig, cls: str, id_: str) -> dict[str, object]:
    return rig.shop.look(cls, id_)


_INVOICE = "/v1/invoices/{id}"
_SUBSCRIPTION = "/v1/subscriptions/{id}"
_NOT_AN_INVOICE: tuple[Wrong, ...] = (
    {"invoice": None},
    {"invoice": "in/1"},
    {"invoice": 7},
    {"charge": "ch_1"},
)
_INVOICE_CHANGES: Mapping[str, Callable[[Rig], object]] = {
    "status": _put("invoice", "in_open", status="paid"),
    "amount_remaining": _put("invoice", "in_open", amount_remaining=1),
    "attempt_count": _put("invoice", "in_open", attempt_count=7),
    "next_payment_attempt": _put("invoice", "in_open", next_payment_attempt=1_900_000_000),
}
_SUBSCRIPTION_CHANGES: Mapping[str, Callable[[Rig], object]] = {
    "status": _put("subscription", "sub_1", status="past_due"),
    "cancel_at_period_end": _put("subscription", "sub_1", cancel_at_period_end=True),
    "latest_invoice's status": _put("invoice", "in_paid", status="uncollectible"),
    "latest_invoice": _put("subscription", "sub_1", latest_invoice="in_open"),
    "schedule": _put("subscription", "sub_1", schedule="sub_sched_1"),
    "quantity": lambda rig: rig.shop.change(
        "subscription", "sub_1", items=_with_quantity(_look(rig, "subscription", "sub_1")["items"], 5)
    ),
}


def _with_quantity(items: object, quantity: int) -> object:
    assert isinstance(items, dict)
    return items | {"data": [each | {"quantity": quantity} for each in items["data"]]}


EXAMPLES: Mapping[str, Example] = {
    "refund": Example(
        lambda record: {"charge": "ch_2", "amount": 4900, "currency": "usd", "reason": "duplicate"},
        ({"amount": 1.5}, {"amount": 0}, {"currency": "dollar"}, {"reason": "because"}, {"payment_intent": "pi_2"}),
        "Refund 49.00 USD of ch_2",
        lambda rig: _look(rig, "charge", "ch_2")["amount_refunded"] == 4900,
        {
            "amount_refunded": _put("charge", "ch_2", amount_refunded=100),
            "disputed": _put("charge", "ch_2", disputed=True),
        },
        {"/v1/refunds": 1},
        {"charge": "ch_nobody"},
    ),
    "capture": Example(
        lambda record: {"payment_intent": "pi_3", "amount": 4000},
        ({"amount": True}, {"amount": -1}, {"amount": None}, {"payment_intent": "../pi"}, {"currency": "zzz"}),
        "Capture 40.00 USD of pi_3 of cus_1",
        lambda rig: _look(rig, "payment_intent", "pi_3")["amount_received"] == 4000,
        {
            "status": _put("payment_intent", "pi_3", status="canceled"),
            "amount_capturable": _put("payment_intent", "pi_3", amount_capturable=4100),
        },
        {"/v1/payment_intents/{id}/capture": 1},
        {"payment_intent": "pi_nobody"},
    ),
    "dispute_evidence": Example(
        lambda record: {
            "dispute": "dp_1",
            "evidence": {"product_description": "A chair", "customer_name": "Ada Lovelace"},
            "files": [{"field": "receipt", "file": "file_1"}],
        },
        (
            {"evidence": {"a_field": "of mine"}}, {"evidence": ["A chair"]}, {"evidence": {"receipt": {"no": "text"}}},
            {"files": "file_1"}, {"files": [{"field": "product_description", "file": "file_1"}]}, {"submit": "yes"},
            {"evidence": {"product_description": "x" * 20_001}},
        ),
        "Submit evidence for dp_1 (2 texts and 1 file), once and for good,",
        lambda rig: _look(rig, "dispute", "dp_1")["status"] == "under_review",
        {
            "status": _put("dispute", "dp_1", status="warning_needs_response"),
            "amount": _put("dispute", "dp_1", amount=100),
            "reason": _put("dispute", "dp_1", reason="duplicate"),
            "due_by": _inside("dispute", "dp_1", "evidence_details", due_by=1_900_000_000),
            "submission_count": _inside("dispute", "dp_1", "evidence_details", submission_count=1),
            "staged": _inside("dispute", "dp_1", "evidence", uncategorized_text="by somebody else"),
        },
        {"/v1/disputes/{id}": 1},
        {"dispute": "dp_nobody"},
    ),
    "dispute_accept": Example(
        lambda record: {"dispute": "dp_1"},
        ({"dispute": None}, {"dispute": ""}, {"reason": "tired"}),
        "Accept dp_1 as lost, for good,",
        lambda rig: _look(rig, "dispute", "dp_1")["status"] == "lost",
        {"status": _put("dispute", "dp_1", status="under_review"), "amount": _put("dispute", "dp_1", amount=1)},
        {"/v1/disputes/{id}/close": 1},
        {"dispute": "dp_nobody"},
    ),
    "invoice_pay": Example(
        lambda record: {"invoice": "in_open"},
        _NOT_AN_INVOICE,
        "Collect in_open of cus_1 now",
        lambda rig: _look(rig, "invoice", "in_open")["status"] == "paid",
        {**_INVOICE_CHANGES, "payment method": _put("invoice", "in_open", default_payment_method="pm_2")},
        {f"{_INVOICE}/pay": 1},
        {"invoice": "in_nobody"},
    ),
    "invoice_send": Example(
        lambda record: {"invoice": "in_open"},
        _NOT_AN_INVOICE,
        "Send in_open of cus_1 to the customer by e-mail",
        lambda rig: rig.shop.events().count("invoice.sent") == 1,
        _INVOICE_CHANGES,
        {f"{_INVOICE}/send": 1},
        {"invoice": "in_nobody"},
    ),
    "invoice_void": Example(
        lambda record: {"invoice": "in_open"},
        _NOT_AN_INVOICE,
        "Void in_open of cus_1 for good",
        lambda rig: _look(rig, "invoice", "in_open")["status"] == "void",
        _INVOICE_CHANGES,
        {f"{_INVOICE}/void": 1},
        {"invoice": "in_nobody"},
    ),
    "invoice_uncollectible": Example(
        lambda record: {"invoice": "in_open"},
        _NOT_AN_INVOICE,
        "Mark in_open of cus_1 as uncollectible",
        lambda rig: _look(rig, "invoice", "in_open")["status"] == "uncollectible",
        _INVOICE_CHANGES,
        {f"{_INVOICE}/mark_uncollectible": 1},
        {"invoice": "in_nobody"},
    ),
    "credit_note": Example(
        lambda record: {"invoice": "in_open", "amount": 900, "reason": "order_change"},
        ({"amount": "900"}, {"reason": "requested_by_customer"}, {"invoice": None}, {"currency": "???"}),
        "Credit 9.00 USD on in_open of cus_1",
        lambda rig: rig.shop.count("credit_note") == 2,
        {
            "status": _put("invoice", "in_open", status="void"),
            "amount_remaining": _put("invoice", "in_open", amount_remaining=950),
            "another credit note": _put("credit_note", "cn_1", status="void"),
        },
        {"/v1/credit_notes": 1},
        {"invoice": "in_nobody"},
    ),
    "subscription_cancel": Example(
        lambda record: {"subscription": "sub_1", "at_period_end": False},
        ({"at_period_end": None}, {"at_period_end": "now"}, {"subscription": None}, {"when": "now"}),
        "Cancel sub_1 of cus_1 now, and collect none of the customer's open invoices any more,",
        lambda rig: _look(rig, "subscription", "sub_1")["status"] == "canceled",
        _SUBSCRIPTION_CHANGES,
        {_SUBSCRIPTION: 1},
        {"subscription": "sub_nobody"},
    ),
    "subscription_pause": Example(
        lambda record: {"subscription": "sub_1"},
        ({"subscription": None}, {"service": 1}, {"until": "2027-01-01"}),
        "Pause collecting for sub_1 of cus_1",
        lambda rig: _look(rig, "subscription", "sub_1")["pause_collection"]
        == {"behavior": "keep_as_draft", "resumes_at": None},
        _SUBSCRIPTION_CHANGES,
        {_SUBSCRIPTION: 1},
        {"subscription": "sub_nobody"},
    ),
    "subscription_resume": Example(
        lambda record: {"subscription": "sub_paused"},
        ({"subscription": None}, {"service": True}),
        "Resume sub_paused of cus_1",
        lambda rig: _look(rig, "subscription", "sub_paused")["status"] == "active",
        {
            "status": _put("subscription", "sub_paused", status="active"),
            "collection": _put("subscription", "sub_paused", collection_method="send_invoice"),
        },
        {f"{_SUBSCRIPTION}/resume": 1},
        {"subscription": "sub_nobody"},
    ),
    "subscription_change": Example(
        lambda record: {"subscription": "sub_1", "item": "si_sub_1", "price": "price_2", "quantity": 3},
        ({"price": None, "quantity": None}, {"quantity": 0}, {"quantity": 1.5}, {"item": None}, {"price": "a b"}),
        "Change si_sub_1 of sub_1 of cus_1 to price price_2 and quantity 3",
        lambda rig: [
            (each["price"]["id"], each["quantity"])
            for each in rig.shop.look("subscription", "sub_1")["items"]["data"]
        ]
        == [("price_2", 3)],
        {**_SUBSCRIPTION_CHANGES, "the price is sold": _put("price", "price_2", active=False)},
        {_SUBSCRIPTION: 1},
        {"subscription": "sub_nobody"},
    ),
    "payout_create": Example(
        lambda record: {"amount": 4900, "currency": "usd"},
        ({"amount": None}, {"currency": None}, {"amount": 4900, "currency": "US"}),
        "Pay out 49.00 USD to the account's own bank",
        lambda rig: True,
    ),
    "payout_cancel": Example(
        lambda record: {"payout": "po_1"},
        ({"payout": None}, {"amount": 1}),
        "Cancel the payout po_1",
        lambda rig: True,
        {"status": _put("payout", "po_1", status="paid"), "amount": _put("payout", "po_1", amount=7)},
        missing={"payout": "po_nobody"},
    ),
    "review_approve": Example(
        lambda record: {"review": "prv_1"},
        ({"review": None}, {"charge": "ch_1"}),
        "Approve the payment under prv_1 of cus_1",
        lambda rig: _look(rig, "review", "prv_1")["closed_reason"] == "approved",
        {
            "open": _put("review", "prv_1", open=False, closed_reason="refunded"),
            "amount_refunded": _put("charge", "ch_disputed", amount_refunded=4900),
        },
        {"/v1/reviews/{id}/approve": 1},
        {"review": "prv_nobody"},
    ),
    "payment_link": Example(
        lambda record: {"price": "price_1", "quantity": 2},
        ({"price": None}, {"quantity": 0}, {"quantity": "2"}, {"amount": 4900}),
        "Create a payment link for 2 × price_1",
        lambda rig: rig.shop.count("payment_link") == 2,
        {"active": _put("price", "price_1", active=False), "amount": _put("price", "price_1", unit_amount=1)},
        {"/v1/payment_links": 1},
        {"price": "price_nobody"},
    ),
    "entitlement_set": Example(
        lambda record: {"customer": "cus_1", "feature": "app", "status": "canceled", "plan": "pro", "quantity": 1},
        ({"customer": None}, {"status": None}, {"quantity": -1}, {"status": "a\nb"}, {"expires_at": "2027-01-01"}),
        "Set app of cus_1 to status canceled, plan pro, quantity 1",
        lambda rig: (rig.entitlement() or {})["status"] == "canceled",
        {
            "status": lambda rig: rig.set_entitlement(status="grace"),
            "its version": lambda rig: rig.set_entitlement(updated="2026-01-06T00:00:00Z"),
            "who pays": _put("subscription", "sub_1", status="canceled"),
            "who was paid back": _put("charge", "ch_disputed", amount_refunded=4900),
        },
    ),
    "crm_update": Example(
        lambda record: {"key": record, "fields": {"status": "active", "mrr": "59.50"}},
        (
            {"fields": {}}, {"fields": {"name": "Ada"}}, {"fields": {"mrr": "much"}}, {"fields": {"plan": None}},
            {"fields": {"stripe_customer": "cus 1"}}, {"key": None}, {"key": "x" * 300}, {"fields": "status"},
        ),
        "Set mrr 59.50, status active in the CRM's record",
        lambda rig: (rig.record()["status"], float(rig.record()["mrr"])) == ("active", 59.5),
        {
            "plan": lambda rig: rig.set_record(plan="pro"),
            "its version": lambda rig: rig.set_record(updated="2026-01-06T00:00:00Z"),
            "who pays": _put("subscription", "sub_1", status="canceled"),
        },
    ),
    "crm_task": Example(
        lambda record: {"key": record, "title": "Call Ada", "body": "She owes us 49.", "due": "2027-01-15"},
        ({"title": " "}, {"title": "x" * 251}, {"body": None}, {"due": "soon"}, {"key": None}, {"owner": "Olga"}),
        ", due on 2027-01-15,",
        lambda rig: [(task["title"], task["due"][:10]) for task in rig.tasks()] == [("Call Ada", "2027-01-15")],
        {"customer": lambda rig: rig.set_record(stripe_customer="cus_2")},
    ),
    "message": Example(
        lambda record: {
            "channel": "email",
            "template": "payment_failed_quiet",
            "to_role": "customer",
            "fields": {"amount": "49.00 USD", "plan": "pro", "invoice": "in_open"},
        },
        (
            {"channel": "chat"}, {"to_role": "everybody"}, {"fields": {"link": "https://x"}},
            {"fields": {"colour": "red"}}, {"fields": {"plan": "pro\nBcc: x"}}, {"fields": {"plan": "see http://x"}},
            {"fields": {"plan": "x" * 301}}, {"template": None}, {"to": "ada@example.com"},
        ),
        "Write “payment_failed_quiet” to cus_1 by email",
        lambda rig: [each["To"] for each in rig.box.messages] == ["ada@example.com"],
        {
            "the address": _put("customer", "cus_1", email="eve@example.com"),
            "the invoice": _put("invoice", "in_open", amount_remaining=1),
        },
        missing={"template": "anything_goes"},
    ),
    "acknowledge": Example(
        lambda record: {},
        ({"note": "seen"},),
        "Take note of cus_1",
        lambda rig: True,
    ),
}  # fmt: skip
