"""A CRM over HTTP that answers what a test has it answer."""

from collections.abc import Callable, Iterable, Iterator
from json import dumps
from pathlib import Path
from typing import Any

import httpx

from accounts.crm import Crm, open_crm
from accounts.facts import Record
from tests.contract.rigs import parsed_crm
from tests.contract.world import ACCOUNT, now

Respond = Callable[[httpx.Request], httpx.Response]

TOKEN = "token-that-nobody-may-see"
TABLE: dict[str, Any] = {
    "type": "http",
    "url": "https://crm.example.com/accounts?account={stripe_account}&cursor={cursor}",
    "headers": {"Authorization": {"env": "TEST_TOKEN", "format": "Bearer {}"}},
    "items": "data",
    "next": "paging.next",
    "read": "GET /accounts/{key}",
    "write": {"update": "PATCH /accounts/{key}", "task": "POST /tasks"},
    "fields": {
        "key": "id",
        "stripe_customer": "customer",
        "plan": "plan",
        "mrr": "mrr",
        "owner": "owners.0.name",
    },
}
OAUTH = {
    "oauth2": {
        "token_url": "https://login.example.com/token",
        "client_id": "id",
        "client_secret": {"env": "TEST_TOKEN"},
    }
}


class Body(httpx.SyncByteStream):
    """A body as it comes from a network: piece by piece, and not read beforehand."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def reply(
    status: int,
    content: bytes | Iterator[bytes] = b"",
    json: object = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    body = dumps(json).encode() if json is not None else content
    return httpx.Response(status, headers=headers, stream=Body([body] if isinstance(body, bytes) else body))


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def opened(respond: Respond, monotonic: Callable[[], float] = lambda: 0.0, **changes: Any) -> Crm:
    source = parsed_crm({**TABLE, **changes}, Path("/"))
    return open_crm("web", source, now=now, monotonic=monotonic, transport=httpx.MockTransport(respond))


def saying(status: int = 200, body: bytes = b"{}", **headers: str) -> Respond:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: reply(status, content=body, headers=named)


def page(*rows: dict[str, Any], following: object = None) -> bytes:
    return dumps({"data": rows, "paging": {"next": following}}).encode()


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "customer": f"cus_{number}", "plan": "pro", "mrr": 149.90, **more}


def read(crm: Crm) -> list[Record]:
    return [record for each in crm.pages(ACCOUNT) for record in each.rows]
