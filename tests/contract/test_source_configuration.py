"""[crm.*] and [entitlements.*]: what is accepted, what is refused, and what presets fill in."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from accounts.crm.configuration import CrmCsv, CrmHttp, CrmSql
from accounts.entitlements.configuration import EntitlementHttp, EntitlementSql
from tests.contract.rigs import parsed_crm, parsed_entitlements

BASE = Path("/etc/reconciled")
SURFACE = tomllib.loads((Path(__file__).parent / "surface.toml").read_text())
HTTP: dict[str, Any] = SURFACE["crm"]["web"]
SQL: dict[str, Any] = {"type": "sql", "url": "sqlite:///crm.db", "query": "select id as key from crm"}


def refusal(table: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        parsed_crm(table | changes, BASE)
    return "\n".join(error["msg"] for error in refused.value.errors())


def test_the_documented_examples_are_accepted() -> None:
    web = parsed_crm(HTTP, BASE)
    assert isinstance(web, CrmHttp)
    assert web.fields.named() == HTTP["fields"]
    app = parsed_entitlements(SURFACE["entitlements"]["app"], BASE)
    assert isinstance(app, EntitlementSql)
    assert app.url == "sqlite:////etc/reconciled/app.db"
    assert isinstance(parsed_entitlements(SURFACE["entitlements"]["web"], BASE), EntitlementHttp)


def test_a_file_is_found_from_the_configuration_s_folder() -> None:
    source = parsed_crm({"type": "csv", "path": "crm.csv", "delimiter": ";", "encoding": "cp1252"}, BASE)
    assert isinstance(source, CrmCsv)
    assert source.path == BASE / "crm.csv"


def test_hubspot_needs_a_token_and_nothing_else() -> None:
    source = parsed_crm(
        {"type": "http", "preset": "hubspot", "headers": {"Authorization": {"env": "HUBSPOT_TOKEN"}}}, BASE
    )
    assert isinstance(source, CrmHttp)
    assert source.url.startswith("https://api.hubapi.com/crm/v3/objects/companies?")
    assert source.read == "GET /crm/v3/objects/companies/{key}?properties={properties}"
    assert source.write.update == "PATCH /crm/v3/objects/companies/{key}"
    assert (source.items, source.next, source.deleted) == ("results", "paging.next.after", "archived")
    assert source.fields.plan == "properties.subscription_plan"


def test_what_the_operator_writes_wins_over_the_preset() -> None:
    source = parsed_crm(
        {
            "type": "http",
            "preset": "salesforce",
            "url": "https://acme.my.salesforce.com",
            "amounts": "minor",
            "fields": {"plan": "Tier__c", "segment": ""},
            "write": {"task": "POST /services/apexrest/tasks"},
            "auth": {"oauth2": {"client_id": "id", "client_secret": {"env": "SF"}}},
        },
        BASE,
    )
    assert isinstance(source, CrmHttp)
    assert source.url.startswith(
        "https://acme.my.salesforce.com/services/data/v62.0/query?q=SELECT+{fields}+"
    )
    assert (source.fields.plan, source.fields.segment, source.fields.key) == ("Tier__c", None, "Id")
    assert source.write.task == "POST /services/apexrest/tasks"
    assert source.write.update == "PATCH /services/data/v62.0/sobjects/Account/{key}"
    assert source.auth is not None
    assert source.auth.oauth2 is not None
    assert source.auth.oauth2.token_url == "https://acme.my.salesforce.com/services/oauth2/token"
    assert source.amounts == "minor"


def test_a_preset_s_whole_address_may_be_replaced() -> None:
    whole = "https://crm.example.com/hub/companies?after={cursor}"
    source = parsed_crm(
        {"type": "http", "preset": "hubspot", "url": whole, "read": "GET /hub/companies/{key}"}, BASE
    )
    assert isinstance(source, CrmHttp)
    assert (source.url, source.read) == (whole, "GET /hub/companies/{key}")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://crm.example.com/?c={cursor}"}, "https"),
        ({"url": "https://user:pw@crm.example.com/?c={cursor}"}, "without user or password"),
        ({"url": "https://{stripe_account}.example.com/"}, "host name"),
        ({"url": "https://crm.example.com/?c={curser}"}, "{curser} is unknown"),
        ({"url": "https://crm.example.com/?c={cursor"}, "brace"),
        ({"url": "https://crm.example.com/?c={cursor!r}"}, "braces hold one name"),
        ({"next": None}, "next"),
        ({"read": "DELETE /accounts/{key}"}, "GET"),
        ({"read": "GET /accounts"}, "its key"),
        ({"read": "GET https://elsewhere.example.com/{key}"}, "a method and a path"),
        ({"write": {"update": "PATCH //elsewhere.example.com/{key}"}}, "a method and a path"),
        ({"headers": {"Authorization": "Bearer abcdefgh"}}, "never written"),
        ({"headers": {"X-Api-Key": "abcdefgh"}}, "never written"),
        ({"headers": {"X Y": "z"}}, "header's name"),
        ({"headers": {"X-Y": "a\r\nb"}}, "cannot be sent"),
        ({"auth": {}}, "exactly one"),
        ({"auth": {"basic": {"username": "u", "password": {"env": "P"}}}}, "not both"),
        ({"auth": {"basic": {"username": "u", "password": "literal"}}}, "never written"),
        ({"fields": {"key": "id"}}, "required"),
        ({"amounts": "pennies"}, "minor"),
        ({"itmes": "data"}, "not permitted"),
    ],
)
def test_an_http_source_that_cannot_work_is_refused(changes: dict[str, Any], says: str) -> None:
    assert says in refusal(HTTP, **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "postgresql://me:secret@db/crm"}, "password"),
        ({"url": "nonsense"}, "database address"),
        ({"url": "oracl://db/crm"}, "no database of this name"),
        ({"url": "mysql+pymysql://db/crm"}, "driver pymysql is not installed"),
        ({"url": "sqlite://"}, "names a file"),
        ({"url": "sqlite:///file:x?mode=memory&uri=true"}, "names a file"),
        ({"query": "delete from crm"}, "begins with select"),
        ({"query": "select 1 where x = :customer"}, ":customer"),
        ({"read": "select 1"}, ":key"),
        ({"write": {"update": "update crm set plan = :plam where id = :key"}}, ":plam"),
        ({"write": {"update": "select 1"}}, "does not begin with select"),
        ({"write": {"task": "insert into t values (:who)"}}, ":who"),
        ({"fields": {"key": "id"}}, "not permitted"),
    ],
)
def test_an_sql_source_that_cannot_work_is_refused(changes: dict[str, Any], says: str) -> None:
    assert says in refusal(SQL, **changes)


def test_a_csv_source_that_cannot_work_is_refused() -> None:
    assert "Python knows" in refusal({"type": "csv", "path": "x"}, encoding="utf-9")
    assert "pattern" in refusal({"type": "csv", "path": "x"}, delimiter=";;")


def test_an_unknown_type_or_preset_is_refused() -> None:
    assert "'http', 'sql', 'csv'" in refusal(HTTP, type="soap")
    assert "'hubspot' or 'salesforce'" in refusal(HTTP, preset="pipedrive")
    assert "required" in refusal({"type": "http", "preset": "salesforce"})


def test_a_postgresql_address_keeps_its_user_and_host() -> None:
    source = parsed_crm(SQL | {"url": "postgresql://me@db.example.com/crm", "password": {"env": "PG"}}, BASE)
    assert isinstance(source, CrmSql)
    assert source.url == "postgresql://me@db.example.com/crm"
