"""A plain CRM: `/crm/accounts` in pages by cursor, one account by key, changes to it, and tasks."""

from functools import partial

from accounts.sandbox import drawer, records
from accounts.sandbox.drawer import Drawer
from accounts.sandbox.http import Face, Request, Response, answer
from accounts.sandbox.records import CRM_NAMES, Json
from accounts.sandbox.world import World

TOKEN = "crm-pretend-token"  # noqa: S105 - opens nothing but the pretend world


def face(world: World) -> Face:
    customers = Drawer("account", "/crm/accounts", TOKEN, CRM_NAMES, lambda: world.crm, world.crm_dials)
    return drawer.face(world, customers, {"/crm/tasks": partial(_task, world)})


def _task(world: World, request: Request) -> Response:
    sent: Json = records.decoded(request.body) or {}
    if not {"key", "title", "body", "due"} <= sent.keys() or records.find(world.crm, sent["key"]) is None:
        return answer({"message": "a task names an account, a title, a body and when it is due"}, 422)
    task = {name: sent[name] for name in ("key", "title", "body", "due")}
    world.crm_tasks.append(task)
    return answer({"id": f"task_{len(world.crm_tasks)}"} | task, 201)
