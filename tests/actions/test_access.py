"""Entitlements, records and tasks: what is changed outside Stripe, once, and only as it was seen."""

from pathlib import Path
from typing import Any

import pytest

from accounts.entitlements import open_entitlements
from accounts.errors import Refused, Uncertain
from accounts.facts import Entitlement
from daemon.actions import crm_task, crm_update, entitlement_set
from daemon.actions.shape import BadDetails, Done, Trace
from daemon.core.canonical import Json
from tests.actions.rig import KEY, TAG, Rig
from tests.contract import world as contract
from tests.contract.rigs import ENTITLEMENTS_OVER_HTTP, ENTITLEMENTS_SQL, filled_database, parsed_entitlements

CLOSE: dict[str, Json] = {"customer": "cus_1", "feature": "app", "status": "canceled"}
OPEN: dict[str, Json] = {**CLOSE, "feature": "reports", "status": "active", "plan": "pro", "quantity": 2}


def test_what_is_not_named_stays_as_it_is(rig: Rig) -> None:
    rig.act(entitlement_set, CLOSE)
    row = rig.entitlement() or {}
    assert (row["status"], row["plan"], row["quantity"]) == ("canceled", "pro", 1)
    assert "is so already" in rig.refusal(entitlement_set, CLOSE)


def test_what_is_not_there_is_given_once(rig: Rig) -> None:
    asked, sent = rig.sent(entitlement_set, OPEN)
    assert rig.verify(entitlement_set, asked, sent) is Trace.ABSENT
    done = rig.act(entitlement_set, OPEN)
    row = rig.entitlement(done.object_id) or {}
    assert (row["stripe_customer"], row["feature"], row["plan"], row["quantity"]) == (
        "cus_1",
        "reports",
        "pro",
        2,
    )
    assert isinstance(rig.verify(entitlement_set, asked, sent), Done)
    with pytest.raises(Refused, match="appeared meanwhile"):
        entitlement_set.execute(rig.hands(), asked, sent.request, key=KEY)


def test_what_changed_between_the_look_and_the_write_is_not_written(rig: Rig) -> None:
    asked, seen = rig.ask(entitlement_set, CLOSE)
    request = entitlement_set.request(asked, seen, TAG)
    rig.set_entitlement(plan="max")
    with pytest.raises(Refused, match="changed meanwhile"):
        entitlement_set.execute(rig.hands(), asked, request, key=KEY)
    assert (rig.entitlement() or {})["status"] == "active"


def test_a_lost_answer_is_found_in_the_product(rig: Rig) -> None:
    asked, sent = rig.sent(entitlement_set, CLOSE)
    assert rig.verify(entitlement_set, asked, sent) is Trace.ABSENT
    dials = rig.shop.sandbox.world.product_dials
    rig.shop.sandbox.on_loop(lambda: setattr(dials, "fault", "answers_lost"))
    try:
        with pytest.raises(Uncertain):
            entitlement_set.execute(rig.hands(), asked, sent.request, key=KEY)
    finally:
        rig.shop.sandbox.on_loop(lambda: setattr(dials, "fault", None))
    assert rig.verify(entitlement_set, asked, sent) == Done(rig.entitlement_key, "canceled", replayed=True)
    rig.set_entitlement(status="grace")
    assert rig.verify(entitlement_set, asked, sent) is Trace.UNSURE, "somebody else was there since"


def test_a_customer_of_the_same_name_on_another_account_keeps_its_access(rig: Rig) -> None:
    rig.set_entitlement(stripe_account="acct_elsewhere")
    known = Entitlement(rig.entitlement_key, stripe_customer="cus_1", feature="app", status="active")
    seen = entitlement_set.see(rig.hands(given=lambda _: [known]), entitlement_set.read(CLOSE, rig.place))
    assert seen.objects["entitlement"] is None


def test_of_several_alike_the_plan_decides_and_nothing_is_guessed(rig: Rig) -> None:
    world = rig.shop.sandbox.world
    other = (rig.entitlement() or {}) | {"key": f"{rig.entitlement_key}-2", "plan": "max"}
    rig.shop.sandbox.on_loop(lambda: world.entitlements.append(other))
    with pytest.raises(BadDetails, match="several of these"):
        rig.ask(entitlement_set, CLOSE)
    rig.act(entitlement_set, {**CLOSE, "plan": "max"})
    assert ((rig.entitlement() or {})["status"], other["status"]) == ("active", "canceled")


def test_a_known_key_spares_reading_the_whole_product(rig: Rig) -> None:
    asked_for: list[str] = []

    def given(customer: str) -> list[Entitlement]:
        asked_for.append(customer)
        return [Entitlement(rig.entitlement_key, stripe_customer="cus_1", feature="app", status="long ago")]

    asked = entitlement_set.read(CLOSE, rig.place)
    seen = entitlement_set.see(rig.hands(given=given), asked)
    assert asked_for == ["cus_1"]
    assert seen.objects["entitlement"].status == "active", "what is known leads to it, and is not believed"


def test_a_look_at_the_whole_product_keeps_no_change_from_the_next_sweep(rig: Rig) -> None:
    account = rig.shop.account.id

    def swept() -> list[str | None]:
        return [row.status for page in rig.product.pages(account) for row in page.rows]

    assert swept() == ["active"]
    assert swept() == [], "unchanged"
    rig.set_entitlement(status="grace")
    rig.ask(entitlement_set, CLOSE)
    assert swept() == ["grace"], "what only the action saw is not kept"


def test_an_account_without_a_product_says_so(rig: Rig) -> None:
    with pytest.raises(BadDetails, match="no entitlement store"):
        entitlement_set.see(rig.hands(entitlements=None), entitlement_set.read(CLOSE, rig.place))
    with pytest.raises(BadDetails, match="no CRM"):
        crm_task.see(rig.hands(crm=None), crm_task.read(_task(rig), rig.place))


def test_a_product_that_takes_no_changes_is_not_asked_to(rig: Rig, tmp_path: Path) -> None:
    table = ENTITLEMENTS_OVER_HTTP(rig.shop.sandbox.url)
    del table["write"]
    closed = open_entitlements("app", parsed_entitlements(table, tmp_path), now=lambda: rig.now)
    try:
        for details, why in ((CLOSE, "write.update"), (OPEN, "takes no new ones")):
            asked = entitlement_set.read(details, rig.place)
            seen = entitlement_set.see(rig.hands(entitlements=closed), asked)
            assert why in (entitlement_set.preflight(asked, seen, rig.now) or "")
    finally:
        closed.close()


def test_a_statement_that_touches_other_than_one_row_has_failed(rig: Rig, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    filled_database(url, tmp_path)
    table: dict[str, Any] = ENTITLEMENTS_SQL | {"url": url}
    statement = "update entitlements set status = :status where status = :status_before"
    table["write"] = table["write"] | {"update": statement}
    product = open_entitlements("app", parsed_entitlements(table, tmp_path), now=contract.now)
    first = next(iter(contract.given().values()))
    hands = rig.hands(entitlements=product)
    found = next(page for page in product.pages(contract.ACCOUNT)).rows[0]
    assert found.key == first.key
    with pytest.raises(Refused, match="rows, not one, and was rolled back"):
        hands.entitlements.update(found, {"status": "gone"})  # type: ignore[union-attr]
    left = {row.status for page in product.pages(contract.ACCOUNT) for row in page.rows}
    assert "gone" not in left


def test_a_record_is_corrected_in_the_fields_that_differ(rig: Rig) -> None:
    details: dict[str, Json] = {"key": rig.record_key, "fields": {"plan": "basic", "status": "active"}}
    asked, seen = rig.ask(crm_update, details)
    assert crm_update.request(asked, seen, TAG)["values"] == {"status": "active"}
    rig.act(crm_update, details)
    assert (rig.record()["status"], rig.record()["plan"]) == ("active", "basic")
    assert "is so already" in rig.refusal(crm_update, details)


def test_a_record_that_changed_between_the_look_and_the_write_is_not_written(rig: Rig) -> None:
    details: dict[str, Json] = {"key": rig.record_key, "fields": {"status": "active"}}
    asked, seen = rig.ask(crm_update, details)
    request = crm_update.request(asked, seen, TAG)
    rig.set_record(plan="pro")
    with pytest.raises(Refused, match="changed meanwhile"):
        crm_update.execute(rig.hands(), asked, request, key=KEY)
    assert rig.record()["status"] == "churned"


def test_what_became_of_a_correction_is_read_from_the_record(rig: Rig) -> None:
    details: dict[str, Json] = {
        "key": rig.record_key,
        "fields": {"status": "active", "renewal": "2027-03-01"},
    }
    asked, sent = rig.sent(crm_update, details)
    assert rig.verify(crm_update, asked, sent) is Trace.ABSENT
    rig.act(crm_update, details)
    assert rig.record()["renewal"] == "2027-03-01"
    assert isinstance(rig.verify(crm_update, asked, sent), Done)
    rig.set_record(status="trial")
    assert rig.verify(crm_update, asked, sent) is Trace.UNSURE


def test_a_record_of_another_account_is_corrected_without_its_stripe_side(rig: Rig) -> None:
    rig.set_record(stripe_account="acct_elsewhere")
    _, seen = rig.ask(crm_update, {"key": rig.record_key, "fields": {"stripe_account": rig.shop.account.id}})
    assert (seen.customer, seen.material["stripe"]) == (None, None)


def _task(rig: Rig, **more: Json) -> dict[str, Json]:
    return {"key": rig.record_key, "title": "Call Ada", "body": "She owes us 49.", **more}


def test_a_task_is_due_in_a_week_where_nobody_says_when(rig: Rig) -> None:
    asked, _ = rig.ask(crm_task, _task(rig, due=None))
    due = str(asked.details["due"])
    assert due > rig.now.date().isoformat()
    rig.act(crm_task, _task(rig, due=None))
    assert [task["due"][:10] for task in rig.tasks()] == [due]


def test_a_task_names_the_proposal_by_which_a_person_finds_it(rig: Rig) -> None:
    rig.act(crm_task, _task(rig))
    assert [task["body"] for task in rig.tasks()] == [f"She owes us 49.\n\n({TAG})"]


def test_a_task_whose_answer_was_lost_is_nobodys_to_repeat(rig: Rig) -> None:
    asked, sent = rig.sent(crm_task, _task(rig))
    dials = rig.shop.sandbox.world.crm_dials
    rig.shop.sandbox.on_loop(lambda: setattr(dials, "fault", "answers_lost"))
    try:
        with pytest.raises(Uncertain):
            crm_task.execute(rig.hands(), asked, sent.request, key=KEY)
    finally:
        rig.shop.sandbox.on_loop(lambda: setattr(dials, "fault", None))
    assert rig.verify(crm_task, asked, sent) is Trace.UNSURE
    assert not crm_task.repeatable
