"""The same CRM as Salesforce shows it: SOQL in batches with `nextRecordsUrl`, sobjects, and OAuth 2 tokens."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from accounts.sandbox import records
from accounts.sandbox.dials import behind
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import Json
from accounts.sandbox.world import World

CLIENT_ID = "pretend-client"
CLIENT_SECRET = "pretend-client-secret"  # noqa: S105 - opens nothing but the pretend world
REFRESH_TOKEN = "pretend-refresh-token"  # noqa: S105 - the same
ROWS = 2000  # of one batch

COLUMNS = {
    "key": "Id",
    "stripe_customer": "Stripe_Customer_Id__c",
    "stripe_account": "Stripe_Account_Id__c",
    "name": "Name",
    "owner": "OwnerId",
    "segment": "Type",
    "status": "Subscription_Status__c",
    "plan": "Subscription_Plan__c",
    "mrr": "MRR__c",
    "currency": "Subscription_Currency__c",
    "renewal": "Renewal_Date__c",
    "updated": "LastModifiedDate",
}

_DATA = "/salesforce/services/data/v62.0"
_OURS = {theirs: ours for ours, theirs in COLUMNS.items()}
_SOQL = re.compile(r"SELECT (?P<columns>[\w, ]+) FROM Account( ORDER BY Id)?", re.IGNORECASE)


def face(world: World) -> Face:
    queries: list[tuple[str, ...]] = []  # columns by query locator

    def respond(request: Request) -> Response:
        if records.bearer(request) not in world.crm_dials.tokens:
            return _error("INVALID_SESSION_ID", "Session expired or invalid", 401)
        match request.method, request.path.removeprefix(_DATA).strip("/").split("/"):
            case "GET", ["query"]:
                return _query(world, request, queries)
            case "GET", ["query", locator]:
                return _more(world, locator, queries)
            case "POST", ["sobjects", "Task"]:
                return _task(world, request)
            case "GET" | "PATCH", ["sobjects", "Account", key]:
                return _one(world, request, key)
        return _error("NOT_FOUND", "The requested resource does not exist", 404)

    limited = _error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)
    return behind(world.crm_dials, respond, limited)


def token_face(world: World) -> Face:
    """`/oauth/token`: client credentials and refresh tokens; as with Salesforce, no answer says how long it lasts."""

    def respond(request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode(errors="replace")))
        grant = form.get("grant_type")
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return answer({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        if grant == "refresh_token" and form.get("refresh_token") != REFRESH_TOKEN:
            return answer(
                {"error": "invalid_grant", "error_description": "expired access/refresh token"}, 400
            )
        if grant not in {"client_credentials", "refresh_token"}:
            return answer({"error": "unsupported_grant_type"}, 400)
        token = world.new_id("00D")
        world.crm_dials.tokens.add(token)
        issued = {"access_token": token, "token_type": "Bearer", "issued_at": f"{world.clock.now()}000"}
        return answer(issued | {"instance_url": "http://127.0.0.1/salesforce", "scope": "api"})

    return respond


def _query(world: World, request: Request, queries: list[tuple[str, ...]]) -> Response:
    asked = _SOQL.fullmatch(request.param("q") or "")
    if asked is None:
        return _error("MALFORMED_QUERY", "unexpected token", 400)
    columns = tuple(name.strip() for name in asked["columns"].split(","))
    for column in columns:
        if column not in _OURS:
            return _error("INVALID_FIELD", f"No such column '{column}' on entity 'Account'.", 400)
    queries.append(columns)
    return _batch(world, len(queries) - 1, 0, columns)


def _more(world: World, locator: str, queries: list[tuple[str, ...]]) -> Response:
    found = re.fullmatch(r"01g(\d+)-(\d+)", locator)
    if found is None or int(found[1]) >= len(queries):
        return _error("INVALID_QUERY_LOCATOR", "invalid query locator", 400)
    return _batch(world, int(found[1]), int(found[2]), queries[int(found[1])])


def _batch(world: World, query: int, start: int, columns: tuple[str, ...]) -> Response:
    rows = min(ROWS, world.crm_dials.page_rows_max)
    found, following = records.page(world.crm, start, rows)
    body: Json = {
        "totalSize": len(world.crm),
        "done": following is None,
        "records": [_account(record, columns) for record in found],
    }
    if following is not None:
        body["nextRecordsUrl"] = f"{_DATA}/query/01g{query}-{following}"
    return answer(body)


def _one(world: World, request: Request, key: str) -> Response:
    record = records.find(world.crm, key)
    if record is None:
        return _error("NOT_FOUND", "The requested resource does not exist", 404)
    if request.method == "GET":
        asked = (request.param("fields") or ",".join(_OURS)).split(",")
        return answer(_account(record, tuple(asked)))
    changes = records.decoded(request.body)
    if not changes or not changes.keys() <= _OURS.keys() or "Id" in changes:
        return _error("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to change these fields", 400)
    records.change(world, record, {_OURS[name]: value for name, value in changes.items()})
    return Response(204, b"", {})


def _account(record: Json, columns: tuple[str, ...]) -> Json:
    shown: Mapping[str, object] = {column: _value(record, column) for column in columns if column in _OURS}
    return {"attributes": {"type": "Account", "url": f"{_DATA}/sobjects/Account/{record['key']}"}, **shown}


def _value(record: Json, column: str) -> object:
    """Amounts are numbers here, and times have no colon in their zone."""
    value = record.get(_OURS[column])
    if value is not None and column == "MRR__c":
        return float(value)
    if value is not None and column == "LastModifiedDate":
        return str(value).replace("Z", ".000+0000")
    return value


def _task(world: World, request: Request) -> Response:
    sent = records.decoded(request.body) or {}
    key = sent.get("WhatId")
    if not isinstance(key, str) or records.find(world.crm, key) is None:
        return _error("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", 400)
    world.crm_tasks.append(
        {
            "key": key,
            "title": sent.get("Subject"),
            "body": sent.get("Description"),
            "due": sent.get("ActivityDate"),
        }
    )
    return answer({"id": f"00T{len(world.crm_tasks)}", "success": True, "errors": []}, 201)


def _error(code: str, message: str, status: int) -> Response:
    return answer([{"message": message, "errorCode": code}], status)
