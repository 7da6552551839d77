"""What every connector keeps: the same records, complete or an error, one by key, and honest writes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from accounts import crm as crm_package
from accounts import entitlements as entitlement_package
from accounts.crm import Crm, Task
from accounts.entitlements import Entitlements
from accounts.errors import ObservationError, Refused, Uncertain
from accounts.facts import Entitlement
from accounts.sources import Page
from tests.contract import rigs
from tests.contract import world as known
from tests.contract.rigs import Rig

Row = TypeVar("Row")

PAGES = -(-known.COUNT // known.ROWS_PER_PAGE)
TASK = Task("1001", "Call them", "Their plan differs.\n“Ask”.", datetime(2026, 1, 12, 9, tzinfo=UTC))
GONE = "1000042"


def rows_of(pages: Iterable[Page[Row]]) -> list[Row]:
    return [row for page in pages for row in page.rows]


def read_until_error(pages: Iterable[Page[Row]]) -> tuple[int, ObservationError | None]:
    read = 0
    try:
        for page in pages:
            read += len(page.rows)
    except ObservationError as error:
        return read, error
    return read, None


def test_the_same_records_are_read_from_every_crm(crm: Rig[Crm]) -> None:
    found = rows_of(crm.connector.pages(known.ACCOUNT))
    assert {record.key: record for record in found} == known.records()
    assert len(found) == known.COUNT


def test_the_same_entitlements_are_read_from_every_product(product: Rig[Entitlements]) -> None:
    found = rows_of(product.connector.pages(known.ACCOUNT))
    assert {row.key: row for row in found} == known.given()
    assert len(found) == known.COUNT


def test_a_page_says_when_it_was_asked_for_and_what_is_on_it(crm: Rig[Crm]) -> None:
    for page in crm.connector.pages(known.ACCOUNT):
        assert page.observed_at == known.now()
        assert page.keys == tuple(record.key for record in page.rows)
        assert 0 < len(page.keys) <= known.ROWS_PER_PAGE


@pytest.mark.parametrize("page", range(1, PAGES + 1))
def test_a_crm_that_fails_on_any_page_is_an_error_and_never_half(crm: Rig[Crm], page: int) -> None:
    crm.spoil(page)
    read, error = read_until_error(crm.connector.pages(known.ACCOUNT))
    assert error is not None
    assert read <= (page - 1) * known.ROWS_PER_PAGE
    assert str(error).startswith("CRM test: ")
    assert str(error).endswith(".")


def test_a_product_that_fails_in_the_middle_is_an_error_and_never_half(product: Rig[Entitlements]) -> None:
    product.spoil(3)
    read, error = read_until_error(product.connector.pages(known.ACCOUNT))
    assert error is not None
    assert read <= 2 * known.ROWS_PER_PAGE
    assert str(error).startswith("Entitlements test: ")


def test_one_record_is_read_by_its_key(crm: Rig[Crm]) -> None:
    if not crm.connector.reads_one:
        with pytest.raises(ObservationError):
            crm.connector.record("1001", known.ACCOUNT)
        return
    assert crm.connector.record("1001", known.ACCOUNT) == known.records()["1001"]


def test_a_record_that_is_gone_is_known_to_be_absent(crm: Rig[Crm]) -> None:
    if not crm.connector.reads_one:
        return
    rows_of(crm.connector.pages(known.ACCOUNT))
    assert crm.remove is not None
    crm.remove("1001")
    assert crm.connector.record("1001", known.ACCOUNT) is None
    assert crm.connector.record(GONE, known.ACCOUNT) is None


def test_one_entitlement_is_read_by_its_key_and_absent_once_it_is_gone(product: Rig[Entitlements]) -> None:
    if not product.connector.reads_one:
        with pytest.raises(ObservationError):
            product.connector.entitlement("ent_001", known.ACCOUNT)
        return
    rows_of(product.connector.pages(known.ACCOUNT))
    assert product.connector.entitlement("ent_001", known.ACCOUNT) == known.given()["ent_001"]
    assert product.remove is not None
    product.remove("ent_001")
    assert product.connector.entitlement("ent_001", known.ACCOUNT) is None


def test_a_change_is_visible_afterwards_and_touches_nothing_else(crm: Rig[Crm]) -> None:
    before = known.records()["1001"]
    if not crm.connector.updates:
        with pytest.raises(Refused):
            crm.connector.update(before, {"plan": "basic"})
        return
    crm.connector.update(before, {"plan": "basic", "renewal": datetime(2027, 2, 1, tzinfo=UTC)})
    after = crm.connector.record("1001", known.ACCOUNT)
    assert after is not None
    assert (after.plan, after.renewal) == ("basic", datetime(2027, 2, 1, tzinfo=UTC))
    assert (after.mrr, after.name, after.status) == (before.mrr, before.name, before.status)
    others = {record.key: record for record in rows_of(crm.connector.pages(known.ACCOUNT, afresh=True))}
    assert {key: row for key, row in others.items() if key != "1001"} == {
        key: row for key, row in known.records().items() if key != "1001"
    }


def test_a_change_of_what_has_no_place_there_is_refused_and_changes_nothing(crm: Rig[Crm]) -> None:
    with pytest.raises(Refused):
        crm.connector.update(known.records()["1001"], {"plan": "basic", "shoe_size": "44"})
    assert {row.key: row for row in rows_of(crm.connector.pages(known.ACCOUNT))} == known.records()


def test_a_change_to_a_record_that_is_gone_is_refused(crm: Rig[Crm]) -> None:
    if crm.remove is not None:
        crm.remove("1001")
    with pytest.raises(Refused):
        crm.connector.update(known.records()["1001"], {"plan": "basic"})


def test_a_task_is_added_where_the_crm_takes_tasks(crm: Rig[Crm]) -> None:
    if not crm.connector.tasks:
        with pytest.raises(Refused):
            crm.connector.add_task(TASK)
        return
    crm.connector.add_task(TASK)
    if crm.sandbox is not None:
        (added,) = crm.sandbox.world.crm_tasks
        assert (added["key"], added["title"], added["body"]) == (TASK.key, TASK.title, TASK.body)
        assert added["due"].startswith("2026-01-12")


def test_an_entitlement_is_changed_and_given(product: Rig[Entitlements]) -> None:
    before = known.given()["ent_001"]
    new = Entitlement("ent_new", "cus_001", known.ACCOUNT, "sso", "pro", "active", 5)
    if not product.connector.updates:
        with pytest.raises(Refused):
            product.connector.update(before, {"status": "ended"})
        with pytest.raises(Refused):
            product.connector.insert(new)
        return
    product.connector.update(before, {"status": "ended"})
    product.connector.insert(new)
    after = {row.key: row for row in rows_of(product.connector.pages(known.ACCOUNT, afresh=True))}
    assert len(after) == known.COUNT + 1
    assert after["ent_001"].status == "ended"
    assert (after["ent_new"].feature, after["ent_new"].quantity) == ("sso", 5)
    assert after["ent_002"] == known.given()["ent_002"]


def test_a_change_that_they_refuse_is_refused(crm: Rig[Crm]) -> None:
    if crm.dials is None:
        return  # a database refuses by touching no row, which has its own test
    crm.set("writes_refused")
    with pytest.raises(Refused):
        crm.connector.update(known.records()["1001"], {"plan": "basic"})
    crm.set(None)
    assert crm.connector.record("1001", known.ACCOUNT) == known.records()["1001"]


def test_a_lost_answer_to_a_change_is_uncertain_and_it_may_have_happened(crm: Rig[Crm]) -> None:
    if crm.dials is None:
        return  # for databases: tests/contract/test_sql.py
    crm.set("answers_lost")
    with pytest.raises(Uncertain):
        crm.connector.update(known.records()["1001"], {"plan": "basic"})
    crm.set(None)
    after = crm.connector.record("1001", known.ACCOUNT)
    assert after is not None
    assert after.plan == "basic"


def test_a_change_that_meets_a_broken_crm_is_uncertain_and_one_that_never_left_is_refused(
    crm: Rig[Crm],
) -> None:
    if crm.dials is None:
        return
    crm.connector.record("1001", known.ACCOUNT)
    crm.set("error")
    with pytest.raises(Uncertain):
        crm.connector.update(known.records()["1001"], {"plan": "basic"})
    crm.set("limited")
    with pytest.raises(Refused):
        crm.connector.update(known.records()["1001"], {"plan": "basic"})
    assert crm.sandbox is not None
    crm.sandbox.close()
    with pytest.raises(Refused) as refused:
        crm.connector.update(known.records()["1001"], {"plan": "basic"})
    assert refused.value.code == "not_sent"


def test_every_connector_is_in_this_contract() -> None:
    crm_types = {"http", "sql", "csv"}
    assert {kind.__module__.rpartition(".")[2] for kind in crm_package.CONNECTORS} == crm_types
    assert {kind.__module__.rpartition(".")[2] for kind in entitlement_package.CONNECTORS} == crm_types
    named = {"sqlite": "sql", "postgresql": "sql", "hubspot": "http", "salesforce": "http"}
    assert {named.get(kind, kind) for kind in rigs.CRM_KINDS} == crm_types
    assert {named.get(kind, kind) for kind in rigs.ENTITLEMENT_KINDS} == crm_types
