"""Each connector with the system it speaks to: the sandbox's faces, real databases, files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from pydantic import TypeAdapter
from sqlalchemy import create_engine, text

from accounts.crm import Crm, CrmSource, open_crm
from accounts.entitlements import Entitlements, EntitlementSource, open_entitlements
from accounts.sandbox import crm, hubspot, product, salesforce
from accounts.sandbox.dials import Dials, Fault
from accounts.sandbox.export import export
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import World
from accounts.sources import csv as csv_source
from accounts.sources import sql as sql_source
from tests.contract import world as known

Connector = TypeVar("Connector", Crm, Entitlements)
Spoil = Callable[[int], None]

CRM_FIELDS = {
    "key": "id", "stripe_customer": "stripe_customer_id", "stripe_account": "stripe_account", "name": "name",
    "owner": "owner", "segment": "segment", "status": "status", "plan": "plan", "mrr": "mrr",
    "currency": "currency", "renewal": "renewal_date", "updated": "updated_at",
}  # fmt: skip
ENTITLEMENT_FIELDS = {
    "key": "id", "stripe_customer": "stripe_customer_id", "stripe_account": "stripe_account",
    "feature": "feature", "plan": "plan", "status": "status", "quantity": "quantity",
    "expires_at": "expires_at", "updated": "updated_at",
}  # fmt: skip
CRM_COLUMNS = ", ".join(f"{theirs} as {ours}" for ours, theirs in CRM_FIELDS.items())
ENTITLEMENT_COLUMNS = ", ".join(f"{theirs} as {ours}" for ours, theirs in ENTITLEMENT_FIELDS.items())
SECRETS = {
    "CRM_TOKEN": crm.TOKEN,
    "HUBSPOT_TOKEN": hubspot.TOKEN,
    "SALESFORCE_SECRET": salesforce.CLIENT_SECRET,
    "SALESFORCE_REFRESH": salesforce.REFRESH_TOKEN,
    "APP_TOKEN": product.TOKEN,
}


@dataclass(frozen=True)
class Rig(Generic[Connector]):
    """A connector, and hands in the system behind it."""

    connector: Connector
    spoil: Callable[[int], None]  # from now on, nobody gets past this page
    remove: Callable[[str], None] | None = None  # takes one row away
    dials: Dials | None = None  # where there is a network to lose answers on
    sandbox: Sandbox | None = None

    def set(self, fault: Fault | None, after: int = 0) -> None:
        assert self.dials is not None
        self.dials.fault, self.dials.after = fault, after


def parsed_crm(table: dict[str, Any], base: Path) -> CrmSource:
    return TypeAdapter[CrmSource](CrmSource).validate_python(table, context={"base": base})


def parsed_entitlements(table: dict[str, Any], base: Path) -> EntitlementSource:
    return TypeAdapter[EntitlementSource](EntitlementSource).validate_python(table, context={"base": base})


@contextmanager
def pretend() -> Iterator[Sandbox]:
    """A running sandbox that holds exactly the known records."""
    with Sandbox.start(accounts=1, customers=1) as sandbox:

        def fill(world: World) -> None:
            world.crm[:], world.entitlements[:] = known.crm(), known.entitlements()
            world.crm_dials.page_rows_max = world.product_dials.page_rows_max = known.ROWS_PER_PAGE

        sandbox.on_loop(lambda: fill(sandbox.world))
        yield sandbox


CRM_TABLES: dict[str, Callable[[str], dict[str, Any]]] = {
    "http": lambda url: {
        "type": "http",
        "url": f"{url}/crm/accounts?account={{stripe_account}}&cursor={{cursor}}",
        "headers": {"Authorization": {"env": "CRM_TOKEN", "format": "Bearer {}"}},
        "items": "data",
        "next": "next_cursor",
        "read": "GET /crm/accounts/{key}",
        "write": {"update": "PATCH /crm/accounts/{key}", "task": "POST /crm/tasks"},
        "fields": CRM_FIELDS,
    },
    "hubspot": lambda url: {
        "type": "http",
        "preset": "hubspot",
        "url": f"{url}/hubspot",
        "headers": {"Authorization": {"env": "HUBSPOT_TOKEN", "format": "Bearer {}"}},
    },
    "salesforce": lambda url: {
        "type": "http",
        "preset": "salesforce",
        "url": f"{url}/salesforce",
        "auth": {
            "oauth2": {
                "token_url": f"{url}/oauth/token",
                "client_id": salesforce.CLIENT_ID,
                "client_secret": {"env": "SALESFORCE_SECRET"},
            }
        },
    },
}  # fmt: skip
ENTITLEMENTS_OVER_HTTP: Callable[[str], dict[str, Any]] = lambda url: {  # noqa: E731
    "type": "http",
    "url": f"{url}/product/entitlements?account={{stripe_account}}&cursor={{cursor}}",
    "headers": {"Authorization": {"env": "APP_TOKEN", "format": "Bearer {}"}},
    "items": "data",
    "next": "next_cursor",
    "access_states": ["active", "grace"],
    "read": "GET /product/entitlements/{key}",
    "write": {"update": "PATCH /product/entitlements/{key}", "insert": "POST /product/entitlements"},
    "fields": ENTITLEMENT_FIELDS,
}
CRM_SQL = {
    "type": "sql",
    "query": f"select {CRM_COLUMNS} from crm_accounts order by id",
    "read": f"select {CRM_COLUMNS} from crm_accounts where id = :key",
    "write": {
        "update": "update crm_accounts set plan = :plan, status = :status, renewal_date = :renewal "
        "where id = :key and plan = :plan_before",
        "task": "insert into crm_tasks (account_id, title, body, due) values (:key, :title, :body, :due)",
    },
}
ENTITLEMENTS_SQL = {
    "type": "sql",
    "access_states": ["active", "grace"],
    "query": f"select {ENTITLEMENT_COLUMNS} from entitlements order by id",
    "read": f"select {ENTITLEMENT_COLUMNS} from entitlements where id = :key",
    "write": {
        "update": "update entitlements set status = :status where stripe_account = :stripe_account and "
        "stripe_customer_id = :stripe_customer and feature = :feature and status = :status_before",
        "insert": "insert into entitlements (id, stripe_account, stripe_customer_id, feature, plan, status, quantity) "
        "values (:key, :stripe_account, :stripe_customer, :feature, :plan, :status, :quantity)",
    },
}


@contextmanager
def over_http(kind: str, open_it: Callable[[Sandbox], Connector], of_crm: bool) -> Iterator[Rig[Connector]]:
    with pretend() as sandbox:
        dials = sandbox.world.crm_dials if of_crm else sandbox.world.product_dials
        connector = open_it(sandbox)

        def spoil(page: int) -> None:
            # Salesforce's first request is for the token, and that face has no dials.
            dials.fault, dials.after = "half", page - 1

        def remove(key: str) -> None:
            held = sandbox.world.crm if of_crm else sandbox.world.entitlements
            held[:] = [row for row in held if row["key"] != key]

        yield Rig(connector, spoil, lambda key: sandbox.on_loop(lambda: remove(key)), dials, sandbox)
        connector.close()


def filled_database(url: str, tmp_path: Path) -> None:
    """The sandbox's own tables; on PostgreSQL with the types that people would give them."""
    world = World(1, known.START)
    world.crm, world.entitlements = known.crm(), known.entitlements()
    if url.startswith("sqlite"):
        export(world, tmp_path)
        return
    types = {"mrr": "numeric(12,2)", "renewal_date": "date", "updated_at": "timestamptz", "quantity": "integer",
             "expires_at": "timestamp"}  # fmt: skip
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for table, names, rows in (
            ("crm_accounts", CRM_FIELDS, world.crm),
            ("entitlements", ENTITLEMENT_FIELDS, world.entitlements),
        ):
            columns = ", ".join(f"{theirs} {types.get(theirs, 'text')}" for theirs in names.values())
            connection.execute(text(f"drop table if exists {table}"))
            connection.execute(text(f"create table {table} ({columns}, primary key (id))"))
            places = ", ".join(f":{ours}" for ours in names)
            connection.execute(text(f"insert into {table} values ({places})"), rows)
        connection.execute(text("drop table if exists crm_tasks"))
        connection.execute(
            text("create table crm_tasks (account_id text, title text, body text, due timestamptz)")
        )
    engine.dispose()


@contextmanager
def over_sql(url: str, tmp_path: Path, table: str, connector: Connector) -> Iterator[Rig[Connector]]:
    filled_database(url, tmp_path)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

    def run(statement: str, **values: object) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement), values)

    def spoil(page: int) -> None:
        """One row of this page says something that cannot be a currency, or an id."""
        key = sorted(known.records() if table == "crm_accounts" else known.given())[
            (page - 1) * known.ROWS_PER_PAGE
        ]
        run(f"update {table} set stripe_customer_id = 'two words' where id = :key", key=key)

    yield Rig(connector, spoil, lambda key: run(f"delete from {table} where id = :key", key=key))
    engine.dispose()


@contextmanager
def over_csv(path: Path, connector: Connector) -> Iterator[Rig[Connector]]:
    world = World(1, known.START)
    world.crm, world.entitlements = known.crm(), known.entitlements()
    export(world, path.parent)

    def spoil(page: int) -> None:
        """The file ends in the middle of a row of this page."""
        lines = path.read_text().splitlines(keepends=True)
        cut = 1 + (page - 1) * known.ROWS_PER_PAGE
        path.write_text("".join(lines[:cut]) + lines[cut][:20])

    yield Rig(connector, spoil)


CRM_KINDS = ("http", "hubspot", "salesforce", "sqlite", "postgresql", "csv")
ENTITLEMENT_KINDS = ("http", "sqlite", "postgresql", "csv")


def crm_rig(kind: str, tmp_path: Path, postgres: Callable[[], str]) -> Any:
    match kind:
        case "sqlite" | "postgresql":
            url = f"sqlite:///{tmp_path}/app.db" if kind == "sqlite" else postgres()
            crm_at = open_crm("test", parsed_crm(CRM_SQL | {"url": url}, tmp_path), now=known.now)
            return over_sql(url, tmp_path, "crm_accounts", crm_at)
        case "csv":
            table = {"type": "csv", "path": "crm.csv", "fields": CRM_FIELDS}
            return over_csv(
                tmp_path / "crm.csv", open_crm("test", parsed_crm(table, tmp_path), now=known.now)
            )

    def opened(sandbox: Sandbox) -> Crm:
        return open_crm("test", parsed_crm(CRM_TABLES[kind](sandbox.url), tmp_path), now=known.now)

    return over_http(kind, opened, of_crm=True)


def entitlement_rig(kind: str, tmp_path: Path, postgres: Callable[[], str]) -> Any:
    match kind:
        case "sqlite" | "postgresql":
            url = f"sqlite:///{tmp_path}/app.db" if kind == "sqlite" else postgres()
            source = parsed_entitlements(ENTITLEMENTS_SQL | {"url": url}, tmp_path)
            return over_sql(url, tmp_path, "entitlements", open_entitlements("test", source, now=known.now))
        case "csv":
            table = {
                "type": "csv",
                "path": "entitlements.csv",
                "fields": ENTITLEMENT_FIELDS,
                "access_states": ["active"],
            }
            source = parsed_entitlements(table, tmp_path)
            return over_csv(tmp_path / "entitlements.csv", open_entitlements("test", source, now=known.now))

    def opened(sandbox: Sandbox) -> Entitlements:
        source = parsed_entitlements(ENTITLEMENTS_OVER_HTTP(sandbox.url), tmp_path)
        return open_entitlements("test", source, now=known.now)

    return over_http(kind, opened, of_crm=False)


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and databases in the same pages as the sandbox's faces."""
    monkeypatch.setattr(csv_source, "ROWS_PER_PAGE", known.ROWS_PER_PAGE)
    monkeypatch.setattr(sql_source, "ROWS_PER_PAGE", known.ROWS_PER_PAGE)
