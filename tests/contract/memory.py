"""Reads a source of few rows and one of many, and prints how much the process grew in between, in bytes.

A process of its own, because a process only remembers its highest peak: `python -m tests.contract.memory http DIR`.
"""

import csv
import json
import resource
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import httpx

from accounts.crm import Crm, open_crm
from accounts.sandbox.records import CRM_NAMES
from tests.contract.rigs import CRM_FIELDS, CRM_SQL, parsed_crm
from tests.contract.world import ACCOUNT, crm, now

FEW, MANY = 2_000, 50_000
ROW = {theirs: crm()[0][ours] for ours, theirs in CRM_NAMES.items()}


def over_http(rows: int, directory: Path) -> Crm:
    def respond(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("cursor", "0"))
        data = [ROW | {"id": str(number)} for number in range(start, min(start + 100, rows))]
        following = str(start + 100) if start + 100 < rows else None
        body = json.dumps({"data": data, "next_cursor": following}).encode()
        return httpx.Response(200, headers={"ETag": f'"{start}"'}, stream=httpx.ByteStream(body))

    table = {"type": "http", "url": "https://crm.example.com/?cursor={cursor}", "items": "data",
             "next": "next_cursor", "fields": CRM_FIELDS}  # fmt: skip
    return open_crm("web", parsed_crm(table, directory), now=now, transport=httpx.MockTransport(respond))


def over_sql(rows: int, directory: Path) -> Crm:
    path = directory / f"{rows}.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"create table crm_accounts ({', '.join(ROW)})")
        places = ", ".join("?" for _ in ROW)
        database.executemany(
            f"insert into crm_accounts values ({places})",
            ([str(number), *list(ROW.values())[1:]] for number in range(rows)),
        )
    query = str(CRM_SQL["query"]).removesuffix(" order by id")
    return open_crm(
        "db", parsed_crm({"type": "sql", "url": f"sqlite:///{path}", "query": query}, directory), now=now
    )


def over_csv(rows: int, directory: Path) -> Crm:
    path = directory / f"{rows}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows(ROW | {"id": str(number)} for number in range(rows))
    table = {"type": "csv", "path": str(path), "fields": CRM_FIELDS}
    return open_crm("file", parsed_crm(table, directory), now=now)


SOURCES = {"http": over_http, "sql": over_sql, "csv": over_csv}


def peak_bytes(source: Crm) -> tuple[int, int]:
    read = sum(len(page.rows) for page in source.pages(ACCOUNT))
    source.close()
    unit = 1 if sys.platform == "darwin" else 1024
    return read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    open_source, folder = SOURCES[sys.argv[1]], Path(sys.argv[2])
    large = open_source(MANY, folder)  # made first: to write it is not what is measured
    few, few_bytes = peak_bytes(open_source(FEW, folder))
    many, many_bytes = peak_bytes(large)
    sys.stdout.write(json.dumps({"few": few, "many": many, "grown_bytes": many_bytes - few_bytes}))
