"""The same CRM as HubSpot shows it: companies with properties, `paging.next.after`, tasks with associations."""

from accounts.sandbox import records
from accounts.sandbox.dials import behind
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import Json
from accounts.sandbox.world import World

TOKEN = "pat-pretend-hubspot"  # noqa: S105 - opens nothing but the pretend world
ROWS, ROWS_MAX = 10, 100  # HubSpot's own default and limit

PROPERTIES = {
    "stripe_customer": "stripe_customer_id",
    "stripe_account": "stripe_account_id",
    "name": "name",
    "owner": "hubspot_owner_id",
    "segment": "segment",
    "status": "subscription_status",
    "plan": "subscription_plan",
    "mrr": "mrr",
    "currency": "subscription_currency",
    "renewal": "renewal_date",
}

_COMPANIES = "/hubspot/crm/v3/objects/companies"
_OURS = {theirs: ours for ours, theirs in PROPERTIES.items()}


def face(world: World) -> Face:
    def respond(request: Request) -> Response:
        if records.bearer(request) != TOKEN:
            return _error("Authentication credentials not found.", "INVALID_AUTHENTICATION", 401)
        match request.method, request.path:
            case "GET", path if path == _COMPANIES:
                return _list(world, request)
            case "POST", "/hubspot/crm/v3/objects/tasks":
                return _task(world, request)
            case method, path if path.startswith(f"{_COMPANIES}/") and method in {"GET", "PATCH"}:
                return _one(world, request, path.removeprefix(f"{_COMPANIES}/"))
        return _error("resource not found", "OBJECT_NOT_FOUND", 404)

    limited = {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": "c0ffee00-0000-4000-8000-000000000000",
        "policyName": "TEN_SECONDLY_ROLLING",
    }
    return behind(world.crm_dials, respond, answer(limited, 429))


def _list(world: World, request: Request) -> Response:
    asked = records.number(request.param("limit"), ROWS)
    if not 1 <= asked <= ROWS_MAX:
        return _error(f"limit must be between 1 and {ROWS_MAX}", "VALIDATION_ERROR", 400)
    after = request.param("after")
    if after is not None and not after.isdecimal():
        return _error("the paging cursor is not valid", "VALIDATION_ERROR", 400)
    rows = min(asked, world.crm_dials.page_rows_max)
    found, following = records.page(world.crm, records.number(after, 0), rows)
    body: Json = {"results": [_company(record, request) for record in found]}
    if following:
        link = f"https://api.hubapi.com/crm/v3/objects/companies?after={following}"
        body["paging"] = {"next": {"after": str(following), "link": link}}
    return answer(body)


def _one(world: World, request: Request, key: str) -> Response:
    record = records.find(world.crm, key)
    if record is None:
        return _error("resource not found", "OBJECT_NOT_FOUND", 404)
    if request.method == "PATCH":
        changes = (records.decoded(request.body) or {}).get("properties")
        if not isinstance(changes, dict) or not changes or not changes.keys() <= _OURS.keys():
            return _error("Property values were not valid", "VALIDATION_ERROR", 400)
        records.change(world, record, {_OURS[name]: value for name, value in changes.items()})
    return answer(_company(record, request))


def _company(record: Json, request: Request) -> Json:
    """HubSpot shows the properties that were asked for; of those it does not know it says nothing."""
    asked = (request.param("properties") or "").split(",")
    known = {name: record.get(_OURS[name]) for name in asked if name in _OURS}
    always = {"hs_object_id": record["key"], "hs_lastmodifieddate": record["updated"]}
    return {
        "id": record["key"],
        "properties": always | known,
        "createdAt": record["updated"],
        "updatedAt": record["updated"],
        "archived": False,
    }


def _task(world: World, request: Request) -> Response:
    sent = records.decoded(request.body) or {}
    try:
        properties = sent["properties"]
        key = sent["associations"][0]["to"]["id"]
        kinds = [kind["associationTypeId"] for kind in sent["associations"][0]["types"]]
        task = {
            "key": key,
            "title": properties["hs_task_subject"],
            "body": properties["hs_task_body"],
            "due": properties["hs_timestamp"],
        }
    except (KeyError, IndexError, TypeError):
        return _error("Invalid input JSON", "VALIDATION_ERROR", 400)
    if kinds != [192] or records.find(world.crm, key) is None:
        return _error("One or more associations are not valid", "VALIDATION_ERROR", 400)
    world.crm_tasks.append(task)
    return answer({"id": str(len(world.crm_tasks)), "properties": properties, "archived": False}, 201)


def _error(message: str, category: str, status: int) -> Response:
    correlation = "c0ffee00-0000-4000-8000-000000000000"
    error = {"status": "error", "message": message, "correlationId": correlation, "category": category}
    return answer(error, status)
