"""Databases: one moment for all rows, nothing written by reading, one row or none by writing."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from accounts.crm import Crm, open_crm
from accounts.entitlements import open_entitlements
from accounts.errors import Forbidden, Malformed, Refused, Unauthorized, Uncertain, Unreachable
from accounts.facts import Record
from accounts.sources import sql as sql_source
from tests.contract import world as known
from tests.contract.rigs import (
    CRM_COLUMNS,
    CRM_SQL,
    filled_database,
    parsed_crm,
    parsed_entitlements,
    small_pages,
)


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    filled_database("sqlite", tmp_path)
    return tmp_path / "app.db"


@pytest.fixture
def server(postgres: Callable[[], str], tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    filled_database(postgres(), tmp_path)
    with psycopg.connect(postgres(), autocommit=True) as connection:
        yield connection


def opened(url: str | Path, **changes: Any) -> Crm:
    address = url if isinstance(url, str) else f"sqlite:///{url}"
    return open_crm("db", parsed_crm({**CRM_SQL, "url": address, **changes}, Path("/")), now=known.now)


def read(crm: Crm) -> list[Record]:
    return [record for page in crm.pages(known.ACCOUNT) for record in page.rows]


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


def test_a_missing_database_is_unreachable_and_stays_missing(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="unable to open"):
        read(opened(tmp_path / "nothing.db"))
    with pytest.raises(Refused):
        opened(tmp_path / "nothing.db").update(Record("1"), {"plan": "x"})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"not a database" * 100)
    with pytest.raises(Malformed, match="not a database"):
        read(opened(tmp_path / "app.db"))


def test_a_missing_table_is_a_sentence_and_not_an_empty_source(sqlite: Path) -> None:
    with pytest.raises(Malformed, match="no such table"):
        read(opened(sqlite, query="select id as key, id as stripe_customer from elsewhere"))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select id, stripe_customer_id as stripe_customer from crm_accounts", "unknown column “id”"),
        ("select id as key from crm_accounts", "no column “stripe_customer”"),
        ("select id as key, stripe_customer_id as stripe_customer, plan, plan from crm_accounts", "twice"),
    ],
)
def test_columns_that_do_not_bear_our_names_are_named(sqlite: Path, query: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        read(opened(sqlite, query=query))


@pytest.mark.parametrize(
    "spoilt",
    ["mrr = x'00ff'", "mrr = 'lots'", "mrr = 9e999", "renewal_date = '31/12/2026'", "updated_at = -5",
     "currency = 'euros'", "id = x'00' where id = '1010'", "id = null where id = '1010'",
     "stripe_customer_id = 'two words' where id = '1010'"],
)  # fmt: skip
def test_values_that_make_no_sense_are_a_sentence(sqlite: Path, spoilt: str) -> None:
    change(sqlite, f"update crm_accounts set {spoilt}")
    with pytest.raises(Malformed, match=r"^CRM db: .*\.$"):
        read(opened(sqlite))


@pytest.mark.parametrize(
    ("spoilt", "lost"),
    [("mrr = x'00ff'", "mrr"), ("mrr = 9e999", "mrr"), ("renewal_date = '31/12/2026'", "renewal"),
     ("updated_at = -5", "updated"), ("currency = 'euros'", "currency mrr")],
)  # fmt: skip
def test_one_value_that_makes_no_sense_is_left_out(sqlite: Path, spoilt: str, lost: str) -> None:
    sound = read(opened(sqlite))
    change(sqlite, f"update crm_accounts set {spoilt} where id = '1010'")
    left = read(opened(sqlite))
    gone: dict[str, Any] = dict.fromkeys(lost.split())
    assert left == [replace(each, **gone) if each.key == "1010" else each for each in sound]


def test_text_in_another_encoding_is_a_sentence(sqlite: Path) -> None:
    change(sqlite, "update crm_accounts set name = cast(x'fffe41' as text) where id = '1010'")
    with pytest.raises(Malformed, match="UTF-8"):
        read(opened(sqlite))


def test_a_key_that_stands_twice_is_believed_only_if_it_says_the_same(sqlite: Path) -> None:
    both = f"select {CRM_COLUMNS} from crm_accounts union all select {CRM_COLUMNS} from crm_accounts order by key"
    assert len(read(opened(sqlite, query=both))) == known.COUNT
    differing = both.replace("union all select id as key", "union all select '1000' as key")
    with pytest.raises(Malformed, match="stands twice"):
        read(opened(sqlite, query=differing))


def test_reading_cannot_write(
    sqlite: Path, server: psycopg.Connection[Any], postgres: Callable[[], str]
) -> None:
    server.execute("""
        create or replace function wipe() returns text language sql as
        $$ delete from crm_accounts; select '1' $$
    """)
    with pytest.raises(Malformed, match="read-only"):
        read(opened(postgres(), query="select wipe() as key, 'cus_1' as stripe_customer"))
    assert server.execute("select count(*) from crm_accounts").fetchone() == (known.COUNT,)
    wiping = f"with a as (select 1) delete from crm_accounts returning {CRM_COLUMNS}"
    with pytest.raises(Malformed, match="readonly"):
        read(opened(sqlite, query=wiping))
    assert len(read(opened(sqlite))) == known.COUNT


def test_all_rows_are_of_one_moment(
    postgres: Callable[[], str], server: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    clock = itertools.count()
    source = parsed_crm({**CRM_SQL, "url": postgres()}, Path("/"))
    crm = open_crm("db", source, now=lambda: known.now() + timedelta(seconds=next(clock)))
    pages = crm.pages(known.ACCOUNT)
    read_pages = [next(pages)]
    server.execute("delete from crm_accounts where id > '1010'")
    read_pages += pages
    assert {key for page in read_pages for key in page.keys} == known.records().keys()
    assert {page.observed_at for page in read_pages} == {known.now()}


def test_a_connection_that_breaks_between_pages_is_an_error(
    postgres: Callable[[], str], server: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    pages = opened(postgres()).pages(known.ACCOUNT)
    next(pages)
    server.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    with pytest.raises(Unreachable):
        list(pages)


def test_a_query_that_takes_too_long_is_given_up(
    postgres: Callable[[], str], server: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_source, "STATEMENT_S", 0.2)
    slow = "select '1' as key, 'cus_1' as stripe_customer, pg_sleep(5)::text as name"
    with pytest.raises(Unreachable, match="statement timeout"):
        read(opened(postgres(), query=slow))


def test_a_user_without_permission_is_told_so(
    postgres: Callable[[], str], server: psycopg.Connection[Any]
) -> None:
    server.execute("drop role if exists stranger")
    server.execute("create role stranger login")
    url = postgres().replace("postgres@", "stranger@")
    with pytest.raises(Forbidden, match="permission denied"):
        read(opened(url))
    with pytest.raises(Refused, match="permission denied"):
        opened(url).update(known.records()["1001"], {"plan": "basic"})


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        read(opened(f"postgresql://me@/crm?host={tmp_path}"))


def test_a_password_that_is_missing_is_named_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = opened("postgresql://me@/crm?host=/nowhere", password={"env": "PG_PASSWORD"})
    with pytest.raises(Unauthorized, match="PG_PASSWORD is not set"):
        read(crm)
    monkeypatch.setenv("PG_PASSWORD", "never-to-be-seen")
    with pytest.raises(Unreachable) as unreachable:
        read(crm)
    assert "never-to-be-seen" not in str(unreachable.value)


def test_a_locked_file_is_waited_for_and_then_refused(sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_source, "LOCKED_S", 0.05)
    with closing(sqlite3.connect(sqlite, isolation_level=None)) as other:
        other.execute("begin exclusive")
        with pytest.raises(Unreachable, match="locked"):
            read(opened(sqlite))
        with pytest.raises(Refused, match="locked"):
            opened(sqlite).update(known.records()["1001"], {"plan": "basic"})


@pytest.mark.parametrize("rows", ["no row", "two rows"])
def test_a_write_that_touches_other_than_one_row_is_rolled_back(sqlite: Path, rows: str) -> None:
    where = "id = :key and plan = :plan_before" if rows == "no row" else "id >= :key and id <= '1002'"
    crm = opened(sqlite, write={"update": f"update crm_accounts set plan = :plan where {where}"})
    if rows == "no row":
        change(sqlite, "update crm_accounts set plan = 'team' where id = '1001'")
    before = {record.key: record for record in read(crm)}
    with pytest.raises(Refused) as refused:
        crm.update(known.records()["1001"], {"plan": "basic"})
    assert refused.value.code == "rows"
    assert {record.key: record for record in read(crm)} == before


def test_a_change_is_bound_and_never_composed(sqlite: Path) -> None:
    hostile = "x'; drop table crm_accounts; --"
    crm = opened(sqlite)
    crm.update(known.records()["1001"], {"plan": hostile})
    found = crm.record("1001", known.ACCOUNT)
    assert found is not None
    assert found.plan == hostile
    assert crm.record(hostile, known.ACCOUNT) is None


def test_a_commit_whose_answer_is_lost_is_uncertain(
    postgres: Callable[[], str], server: psycopg.Connection[Any]
) -> None:
    server.execute("""
        create or replace function cut() returns trigger language plpgsql as
        $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
        create constraint trigger cut after update on crm_accounts deferrable initially deferred
        for each row execute function cut()
    """)
    with pytest.raises(Uncertain, match="answer to the commit was lost"):
        opened(postgres()).update(known.records()["1001"], {"plan": "basic"})


def test_a_commit_that_the_database_refuses_is_refused(
    postgres: Callable[[], str], server: psycopg.Connection[Any]
) -> None:
    server.execute("alter table crm_accounts add constraint plans check (plan = 'pro')")
    with pytest.raises(Refused, match="plans") as refused:
        opened(postgres()).update(known.records()["1001"], {"plan": "basic"})
    assert refused.value.code == "23514"


def test_rows_are_asked_for_by_account_where_the_query_names_it(sqlite: Path) -> None:
    change(sqlite, "update crm_accounts set stripe_account = 'acct_other' where id > '1005'")
    whole = opened(sqlite)
    by_account = opened(
        sqlite, query=f"{CRM_SQL['query']}".replace("order", "where stripe_account = :stripe_account order")
    )
    assert (whole.per_account, by_account.per_account) == (False, True)
    assert (len(read(whole)), len(read(by_account))) == (known.COUNT, 6)


def test_the_documented_query_makes_keys_of_account_customer_and_feature(sqlite: Path) -> None:
    table = {
        "type": "sql",
        "url": f"sqlite:///{sqlite}",
        "access_states": ["active"],
        "query": "select stripe_account, stripe_customer_id as stripe_customer, feature, plan, status, quantity, "
        "expires_at, updated_at as updated from entitlements",
    }
    product = open_entitlements("db", parsed_entitlements(table, Path("/")), now=known.now)
    keys = [key for page in product.pages(known.ACCOUNT) for key in page.keys]
    assert keys[0] == f"{known.ACCOUNT}/cus_000/seats"
    assert len(set(keys)) == known.COUNT
