"""A plain CRM: `/crm/accounts` in pages by cursor, one account by key, changes to it, and tasks."""

from accounts.sandbox import records
from accounts.sandbox.dials import RETRY_AFTER_S, behind
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import CRM_NAMES, Json
from accounts.sandbox.world import World

TOKEN = "crm-pretend-token"  # noqa: S105 - opens nothing but the pretend world
ROWS = 100

_ACCOUNTS = "/crm/accounts"
_OURS = {theirs: ours for ours, theirs in CRM_NAMES.items()}


def face(world: World) -> Face:
    def respond(request: Request) -> Response:
        if records.bearer(request) != TOKEN:
            return answer({"message": "unknown token"}, 401)
        match request.method, request.path.removesuffix("/"):
            case "GET", path if path == _ACCOUNTS:
                return _list(world, request)
            case "POST", "/crm/tasks":
                return _task(world, request)
            case method, path if path.startswith(f"{_ACCOUNTS}/") and method in {"GET", "PATCH"}:
                return _one(world, request, path.removeprefix(f"{_ACCOUNTS}/"))
        return answer({"message": "no such place"}, 404)

    limited = answer({"message": "too many requests"}, 429, retry_after=str(RETRY_AFTER_S))
    return behind(world.crm_dials, respond, limited)


def _list(world: World, request: Request) -> Response:
    rows = min(records.number(request.param("limit"), ROWS), world.crm_dials.page_rows_max)
    start = records.number(request.param("cursor"), 0)
    found, following = records.page(world.crm, start, rows, request.param("account"))
    data = [records.named(record, CRM_NAMES) for record in found]
    return records.cached(request, {"data": data, "next_cursor": str(following) if following else None})


def _one(world: World, request: Request, key: str) -> Response:
    record = records.find(world.crm, key)
    if record is None:
        return answer({"message": "no such account"}, 404)
    if request.method == "PATCH":
        changes = records.decoded(request.body)
        if not changes or not changes.keys() <= _OURS.keys() or "id" in changes:
            return answer({"message": "these fields cannot be changed"}, 422)
        records.change(world, record, {_OURS[name]: value for name, value in changes.items()})
    return answer(records.named(record, CRM_NAMES))


def _task(world: World, request: Request) -> Response:
    sent: Json = records.decoded(request.body) or {}
    if not {"key", "title", "body", "due"} <= sent.keys() or records.find(world.crm, sent["key"]) is None:
        return answer({"message": "a task names an account, a title, a body and when it is due"}, 422)
    task = {name: sent[name] for name in ("key", "title", "body", "due")}
    world.crm_tasks.append(task)
    return answer({"id": f"task_{len(world.crm_tasks)}"} | task, 201)
