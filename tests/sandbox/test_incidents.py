"""Scripted incidents: each does what it says, to nobody else, and is gone when it ends."""

from collections.abc import Iterator
from dataclasses import asdict

import httpx
import pytest

from accounts.sandbox import crm, incidents, product, seeding
from accounts.sandbox.business.opening import key_of
from accounts.sandbox.incidents import INCIDENTS, Incident, NoSuchIncident
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount, World

START = 1_800_000_000
TIMEOUT_S = 20.0
AT_ONCE = {"dispute_wave", "clock"}  # happen, and leave no dial turned


def a_world() -> World:
    world = World(7, START, real=lambda: 0.0)
    seeding.plant(world, accounts=3, customers=20)
    return world


def dials_of(world: World, account: StripeAccount) -> list[object]:
    keys = [
        (key.value, sorted(key.permissions or ()), key.revoked, key.expired) for key in account.keys.values()
    ]
    return [asdict(account.faults), asdict(world.outgoing.dials(account.id)), keys]


def dials(world: World) -> list[object]:
    every = [dials_of(world, account) for account in world.accounts.values()]
    return [every, asdict(world.crm_dials), asdict(world.product_dials)]


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda each: each.name)
def test_every_incident_turns_something_and_its_end_turns_it_back(incident: Incident) -> None:
    world = a_world()
    before = dials(world)
    incidents.start(world, incident.name, "acme-us")
    assert (dials(world) != before) is (incident.name not in AT_ONCE)
    assert len(world.incidents) == 1
    incidents.end(world, incident.name, "acme-us")
    assert dials(world) == before
    assert world.incidents == set()


@pytest.mark.parametrize(
    "incident", [each for each in INCIDENTS if each.scope == "account"], ids=lambda i: i.name
)
def test_an_accounts_incident_leaves_the_other_accounts_alone(incident: Incident) -> None:
    world = a_world()
    others = [each for each in world.accounts.values() if each.slug != "acme-us"]
    before = [dials_of(world, each) for each in others]
    incidents.start(world, incident.name, "acme-us")
    assert [dials_of(world, each) for each in others] == before


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda each: each.name)
def test_every_incident_says_to_the_operator_what_it_does(incident: Incident) -> None:
    assert incident.about.endswith(".")
    assert len(incident.about) > 30


def test_an_unknown_incident_or_account_is_answered_with_those_there_are() -> None:
    world = a_world()
    with pytest.raises(NoSuchIncident, match="There is no incident “fire”; there are outage, "):
        incidents.start(world, "fire")
    with pytest.raises(NoSuchIncident, match="There is no account “acme”; there are acme-eu, acme-us"):
        incidents.start(world, "outage", "acme")


def test_without_an_account_the_first_one_is_meant_and_an_id_will_do() -> None:
    world = a_world()
    eu, us, _ = world.accounts.values()
    incidents.start(world, "outage")
    incidents.start(world, "outage", us.id)
    assert world.incidents == {("outage", eu.id), ("outage", us.id)}


def test_a_dispute_wave_brings_every_kind_of_deadline_and_spares_what_is_planted() -> None:
    world = a_world()
    account = next(iter(world.accounts.values()))
    known = {each["id"] for each in account.newest_first("dispute")}
    spoken_for = {id_ for each in world.planted for id_ in (each.subject, *each.ids)}
    incidents.start(world, "dispute_wave")
    new = [each for each in account.newest_first("dispute") if each["id"] not in known]
    due = [each["evidence_details"]["due_by"] for each in new]
    assert len(new) == 6
    assert {0, None} <= set(due)
    assert {each["charge"] for each in new}.isdisjoint(spoken_for)
    told = [
        event["data"]["object"]["id"]
        for event in account.newest_first("event", type="charge.dispute.created")
    ]
    assert {each["id"] for each in new} <= set(told)
    expected = {each.subject for each in world.planted if each.story == "dispute_wave"}
    assert expected == {each["id"] for each in new}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(accounts=2, customers=10) as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=TIMEOUT_S) as made:
        yield made


class Asked:
    """Asks the two accounts, and the systems that are not Stripe, over HTTP."""

    def __init__(self, sandbox: Sandbox, client: httpx.Client) -> None:
        self._sandbox = sandbox
        self._client = client
        self._eu, self._us = sandbox.world.accounts.values()

    def eu(self, path: str = "/v1/disputes") -> httpx.Response:
        return self._get(path, key_of(self._eu, "read"))

    def us(self, path: str = "/v1/disputes") -> httpx.Response:
        return self._get(path, key_of(self._us, "read"))

    def crm(self) -> httpx.Response:
        return self._get("/crm/accounts", crm.TOKEN)

    def product(self) -> httpx.Response:
        return self._get("/product/entitlements", product.TOKEN)

    def _get(self, path: str, token: str) -> httpx.Response:
        return self._client.get(self._sandbox.url + path, headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def asked(sandbox: Sandbox, client: httpx.Client) -> Iterator[Asked]:
    yield Asked(sandbox, client)
    for name, account in list(sandbox.world.incidents):
        sandbox.end_incident(name, account)


def test_an_outage_is_one_accounts_alone(sandbox: Sandbox, asked: Asked) -> None:
    sandbox.incident("outage", "acme-us")
    assert (asked.eu().status_code, asked.us().status_code) == (200, 503)
    sandbox.end_incident("outage", "acme-us")
    assert asked.us().status_code == 200


def test_a_revoked_and_an_expired_key_are_refused_in_stripes_words(sandbox: Sandbox, asked: Asked) -> None:
    sandbox.incident("key_revoked", "acme-eu")
    assert asked.eu().status_code == 401
    sandbox.end_incident("key_revoked", "acme-eu")
    sandbox.incident("key_expired", "acme-eu")
    assert asked.eu().json()["error"]["code"] == "api_key_expired"


def test_a_missing_permission_is_named_and_only_that_resource_is_closed(
    sandbox: Sandbox, asked: Asked
) -> None:
    sandbox.incident("permission_missing", "acme-eu")
    refused = asked.eu()
    assert refused.status_code == 403
    assert "rak_dispute_read" in refused.json()["error"]["message"]
    assert asked.eu("/v1/charges").status_code == 200


def test_a_rate_limit_storm_names_its_limiter(sandbox: Sandbox, asked: Asked) -> None:
    sandbox.incident("rate_limit_storm", "acme-eu")
    answers = [asked.eu() for _ in range(30)]
    hit = [each for each in answers if each.status_code == 429]
    assert len(hit) > 15
    assert {each.headers["stripe-rate-limited-reason"] for each in hit} == {"global-rate"}


def test_the_crm_and_the_product_go_down_by_themselves(sandbox: Sandbox, asked: Asked) -> None:
    sandbox.incident("crm_down")
    with pytest.raises(httpx.TransportError):
        asked.crm()
    assert asked.product().status_code == 200
    sandbox.end_incident("crm_down")
    sandbox.incident("product_down")
    assert asked.crm().status_code == 200
    assert asked.product().status_code == 500


def test_half_an_answer_of_the_crm_is_no_answer(sandbox: Sandbox, asked: Asked) -> None:
    sandbox.incident("crm_half")
    with pytest.raises(httpx.TransportError):
        asked.crm()


def test_the_keys_that_are_planted_may_do_what_they_must(sandbox: Sandbox, asked: Asked) -> None:
    readable = ("customers", "subscriptions", "invoices", "charges", "refunds", "payouts", "events", "prices")
    assert [asked.eu(f"/v1/{name}").status_code for name in readable] == [200] * len(readable)
    assert asked.eu("/v1/account").status_code == 200
    proven = asked.us("/v1/account")
    assert proven.status_code == 403
    assert "acct_1SandboxAcmeUs" in proven.json()["error"]["message"]
