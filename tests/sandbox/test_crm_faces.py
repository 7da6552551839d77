"""The pretend CRM and product: their documented shapes, their dials, and the files of the same records."""

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from accounts.sandbox import crm, hubspot, product, salesforce
from accounts.sandbox.dials import Fault
from accounts.sandbox.export import export
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import World
from tests.contract import world as known
from tests.contract.rigs import pretend

TIMEOUT_S = 10


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with pretend() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, timeout=TIMEOUT_S) as opened:
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def salesforce_token(client: httpx.Client, **form: str) -> httpx.Response:
    secret = {"client_id": salesforce.CLIENT_ID, "client_secret": salesforce.CLIENT_SECRET}
    return client.post("/salesforce/services/oauth2/token", data={**secret, **form})


def test_hubspot_pages_as_documented(client: httpx.Client) -> None:
    path = "/hubspot/crm/v3/objects/companies"
    first = client.get(
        path, params={"limit": 2, "properties": "mrr,unknown"}, headers=bearer(hubspot.TOKEN)
    ).json()
    company = first["results"][0]
    assert company.keys() == {"id", "properties", "createdAt", "updatedAt", "archived"}
    assert company["properties"].keys() == {"hs_object_id", "hs_lastmodifieddate", "mrr"}
    assert first["paging"]["next"].keys() == {"after", "link"}
    last = client.get(path, params={"after": "28"}, headers=bearer(hubspot.TOKEN)).json()
    assert "paging" not in last
    assert client.get(path, params={"limit": 101}, headers=bearer(hubspot.TOKEN)).status_code == 400
    unknown = client.get(f"{path}/1", headers=bearer(hubspot.TOKEN))
    assert (unknown.status_code, unknown.json()["status"]) == (404, "error")


def test_salesforce_answers_queries_as_documented(client: httpx.Client) -> None:
    path = "/salesforce/services/data/v62.0/query"
    issued = salesforce_token(client, grant_type="client_credentials").json()
    assert {"access_token", "instance_url", "token_type", "issued_at"} <= issued.keys()
    assert "expires_in" not in issued
    headers = bearer(issued["access_token"])
    first = client.get(path, params={"q": "SELECT Id,MRR__c FROM Account"}, headers=headers).json()
    assert (first["totalSize"], first["done"]) == (known.COUNT, False)
    assert first["records"][1] == {
        "attributes": {"type": "Account", "url": "/salesforce/services/data/v62.0/sobjects/Account/1001"},
        "Id": "1001",
        "MRR__c": 1.9,
    }
    assert client.get(first["nextRecordsUrl"], headers=headers).json()["records"][0]["Id"] == "1007"
    refusals = {
        "SELECT Id, Nothing__c FROM Account": "INVALID_FIELD",
        "SELECT Id FROM Contact": "MALFORMED_QUERY",
    }
    for query, code in refusals.items():
        refused = client.get(path, params={"q": query}, headers=headers)
        assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, code)
    assert client.get(path, headers=bearer("other")).json()[0]["errorCode"] == "INVALID_SESSION_ID"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "client_credentials"}, 200),
        ({"grant_type": "refresh_token", "refresh_token": salesforce.REFRESH_TOKEN}, 200),
        ({"grant_type": "refresh_token", "refresh_token": "old"}, 400),
        ({"grant_type": "password"}, 400),
        ({"grant_type": "client_credentials", "client_secret": "wrong"}, 400),
    ],
)
def test_tokens_are_given_for_the_right_grants(
    client: httpx.Client, form: dict[str, str], status: int
) -> None:
    assert salesforce_token(client, **form).status_code == status


@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("/crm/accounts", crm.TOKEN),
        ("/hubspot/crm/v3/objects/companies", hubspot.TOKEN),
        ("/product/entitlements", product.TOKEN),
    ],
)
def test_nothing_is_told_without_the_token(client: httpx.Client, path: str, token: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"Authorization": f"Basic {token}"}).status_code == 401
    assert client.get(path, headers=bearer(token)).status_code == 200
    assert client.get(path + "/nothing", headers=bearer(token)).status_code == 404
    assert client.delete(path, headers=bearer(token)).status_code == 404


def test_an_unchanged_page_is_304_and_a_changed_one_is_not(client: httpx.Client, sandbox: Sandbox) -> None:
    headers = bearer(crm.TOKEN)
    tag = client.get("/crm/accounts", headers=headers).headers["etag"]
    assert client.get("/crm/accounts", headers=headers | {"If-None-Match": tag}).status_code == 304
    sandbox.on_loop(lambda: sandbox.world.crm[0].update(plan="basic"))
    assert client.get("/crm/accounts", headers=headers | {"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/crm/accounts/1001", {"id": "9"}),
        ("PATCH", "/crm/accounts/1001", {"shoe_size": 44}),
        ("PATCH", "/crm/accounts/1001", {}),
        ("POST", "/crm/tasks", {"key": "1001"}),
        ("POST", "/crm/tasks", {"key": "none", "title": "", "body": "", "due": ""}),
    ],
)
def test_a_write_that_makes_no_sense_is_refused(
    client: httpx.Client, sandbox: Sandbox, method: str, path: str, body: dict[str, Any]
) -> None:
    assert client.request(method, path, json=body, headers=bearer(crm.TOKEN)).status_code == 422
    assert (sandbox.world.crm, sandbox.world.crm_tasks) == (known.crm(), [])


def test_a_change_is_stamped_by_the_world_s_clock(client: httpx.Client, sandbox: Sandbox) -> None:
    changed = client.patch("/crm/accounts/1001", json={"plan": "basic"}, headers=bearer(crm.TOKEN)).json()
    assert changed["plan"] == "basic"
    assert changed["updated_at"] > known.crm()[1]["updated"]


@pytest.mark.parametrize("fault", get_args(Fault))
def test_every_fault_shows_after_so_many_good_answers(
    client: httpx.Client, sandbox: Sandbox, fault: Fault
) -> None:
    dials = sandbox.world.crm_dials
    dials.fault, dials.after = fault, 2

    def status() -> str:
        try:
            answered = client.patch("/crm/accounts/1001", json={"plan": "x"}, headers=bearer(crm.TOKEN))
        except httpx.TransportError as error:
            return type(error).__name__
        return f"{answered.status_code} {answered.headers['content-type']}"

    good = "200 application/json"
    assert (status(), status()) == (good, good)
    assert status() != good
    dials.fault = None
    assert status() == good


def test_the_files_hold_the_same_records_and_are_replaced_whole(tmp_path: Path) -> None:
    world = World(1, known.START)
    world.crm, world.entitlements = known.crm(), known.entitlements()
    export(world, tmp_path)
    world.crm = world.crm[:-1]
    export(world, tmp_path)
    with (tmp_path / "crm.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with closing(sqlite3.connect(tmp_path / "app.db")) as database:
        stored = database.execute(
            "select id, name, coalesce(mrr, '') from crm_accounts order by id"
        ).fetchall()
        quantities = database.execute(
            "select typeof(quantity) from entitlements where id = 'ent_001'"
        ).fetchall()
    assert [(row["id"], row["name"], row["mrr"]) for row in rows] == stored
    assert len(rows) == known.COUNT - 1
    assert quantities == [("integer",)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.db", "crm.csv", "entitlements.csv"]
