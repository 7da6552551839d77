"""`/api/v1/approvals`: asks that something may be done, from code or by an agent, and waits for what people say."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from starlette.concurrency import run_in_threadpool

from daemon.actions import BY_NAME
from daemon.core.policy_sections import duration_in
from daemon.desk.request import Request
from daemon.faces.api import bodies
from daemon.faces.api.services import Uses, Who
from daemon.faces.api.strict import Problem, StrictRoute
from daemon.faces.api.waiting import WAIT_S_MAX

KEY_CHARS_MAX = 255  # as Stripe's
OVER = frozenset({"succeeded", "failed", "unknown"})  # what only a person goes on from

routes = APIRouter(prefix="/api/v1/approvals", route_class=StrictRoute, tags=["approvals"])


@routes.post("", status_code=201)
def stage(
    who: Who,
    uses: Uses,
    body: bodies.Stage,
    answer: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=KEY_CHARS_MAX)] = None,
) -> dict[str, Any]:
    """Stages an action. Asked again with the same Idempotency-Key, the answer is the same, and nothing is new.

    What is none of our actions may be asked for, too, where the caller does it: it is decided, and never verified.
    """
    request = Request(
        account=body.account,
        action=body.action,
        details=body.details,
        summary=body.summary,
        justification=body.justification,
        execution=body.execution,
        callback_url=body.callback_url,
        expires_in_s=_seconds(body.expires_in),
        mapped=body.action in BY_NAME or body.execution != "caller",
    )
    staged = uses.desk.stage(who, request, idempotency_key)
    if staged.deduplicated:
        answer.status_code = 200
    return {**uses.desk.approval(who, staged.proposal_id), "deduplicated": staged.deduplicated}


@routes.get("/{id}")
async def show(
    who: Who,
    uses: Uses,
    id: Annotated[str, bodies.StringConstraints(max_length=200)],
    wait: Annotated[int, Query(ge=0, le=WAIT_S_MAX, description="Seconds to wait for a change.")] = 0,
) -> dict[str, Any]:
    """What became of it; with `wait`, as soon as that changes, or when the time is over."""
    before = await run_in_threadpool(uses.desk.approval, who, id)
    if not wait or _is_settled(before):
        return before

    def changed(left_s: float) -> bool:
        # Compared with what was first seen: what changes between two waits is not missed.
        uses.desk.waiting(id, left_s)
        return uses.desk.approval(who, id) != before

    await uses.waiting.for_a_while(who.token_id or who.id, changed, wait)
    return await run_in_threadpool(uses.desk.approval, who, id)


def _is_settled(shown: Mapping[str, Any]) -> bool:
    """Whether there is nothing to wait for: it is decided, and what follows is over or the caller's own affair."""
    if shown["status"] in {"pending", "approved"}:
        over = shown["execution"]["status"] in OVER or shown["execution"]["mode"] == "caller"
        return shown["status"] == "approved" and over
    return True


def _seconds(given: int | str | None) -> int | None:
    if given is None or isinstance(given, int):
        return given
    try:
        seconds = int(duration_in(given).total_seconds())
    except (ValueError, OverflowError):
        raise Problem(422, "bad_request", 'expires_in: seconds, or a duration such as "30m".') from None
    if seconds > bodies.EXPIRES_S_MAX:
        raise Problem(422, "bad_request", "expires_in: at most 30 days.")
    return seconds
