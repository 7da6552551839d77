"""The gate's three routes. Whoever comes through it executes by itself, and the daemon verifies that by reconciliation.

    POST /api/approvals/request     asks, and is answered at once
    GET  /api/approvals/{id}        what became of it
    POST /api/webhooks/inbound      asks, and waits for a decision for as long as `maxWaitMs` says, at most ten seconds

An approval is told once nobody can take it back any more. With it go the idempotency key to execute under, so that two
workers that both hear of it do it once, and until when it holds.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.asgi import Answer, App, answer
from daemon.core.approval import gate
from daemon.core.approval.gate import Told
from daemon.core.approval.principal import Principal
from daemon.core.canonical import Json
from daemon.desk.desk import Desk
from daemon.desk.refusals import Refusal
from daemon.desk.request import Staged
from daemon.faces.api.waiting import Waiting
from daemon.faces.door import Door, Keys
from daemon.faces.gate.body import Asked, BadBody, read
from daemon.faces.gate.names import Names
from daemon.faces.rates import Rates
from daemon.overview import StoreError

HOLD_S_MAX: Final = 10.0  # as its clients expect; they ask again by themselves
TRY_AGAIN: Final = (b"retry-after", b"5")

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Services:
    desk: Desk
    keys: Keys
    names: Names
    waiting: Waiting
    public_url: str
    now: Callable[[], datetime]


def create(services: Services, rates: Rates | None = None) -> App:
    return Door(framework(services), services.keys, rates=rates, refuse=refused)


def framework(services: Services) -> Starlette:
    face = Face(services)
    return Starlette(
        routes=[
            Route("/api/approvals/request", _guarded(face.request), methods=["POST"]),
            Route("/api/approvals/{id}", _guarded(face.show), methods=["GET"]),
            Route("/api/webhooks/inbound", _guarded(face.inbound), methods=["POST"]),
        ],
        exception_handlers={HTTPException: _by_the_framework},
    )


class Face:
    def __init__(self, services: Services) -> None:
        self._uses = services

    async def request(self, request: Request) -> Response:
        who = request.state.who
        staged = await self._stage(request, who, read(await request.body()))
        told = await run_in_threadpool(self._uses.desk.told, who, staged.proposal_id)
        said = gate.request_answer(told, self._uses.now())
        said |= {"reviewUrl": self._review_url(told), "deduplicated": staged.deduplicated}
        return _json(said, 200 if staged.deduplicated else 201)

    async def show(self, request: Request) -> Response:
        who, id = request.state.who, request.path_params["id"]
        told = await run_in_threadpool(self._uses.desk.told, who, id)
        return _json(gate.request_answer(told, self._uses.now()) | {"reviewUrl": self._review_url(told)})

    async def inbound(self, request: Request) -> Response:
        who, asked = request.state.who, read(await request.body())
        staged = await self._stage(request, who, asked)
        await self._wait(who, staged, asked.wait_s(HOLD_S_MAX))
        told = await run_in_threadpool(self._uses.desk.told, who, staged.proposal_id)
        said = gate.inbound_answer(told, self._uses.now(), self._review_url(told))
        return _json({**said, "deduplicated": staged.deduplicated})

    async def _stage(self, request: Request, who: Principal, asked: Asked) -> Staged:
        wanted = self._uses.names.request(
            _account_of(who),
            asked.action,
            asked.details,
            summary=asked.summary,
            justification=asked.justification,
            callback_url=asked.callback(),
        )
        key = request.headers.get("idempotency-key")
        return await run_in_threadpool(self._uses.desk.stage, who, wanted, key)

    async def _wait(self, who: Principal, staged: Staged, seconds: float) -> None:
        uses = self._uses

        def is_decided(left_s: float) -> bool:
            if uses.desk.told(who, staged.proposal_id).status(uses.now()) == "pending":
                uses.desk.waiting(staged.proposal_id, left_s)
            return uses.desk.told(who, staged.proposal_id).status(uses.now()) != "pending"

        await uses.waiting.for_a_while(who.token_id or who.id, is_decided, seconds)

    def _review_url(self, told: Told) -> str:
        return f"{self._uses.public_url.rstrip('/')}/cases/{told.case_id}"


def refused(status: int, code: str, sentence: str, headers: tuple[tuple[bytes, bytes], ...]) -> Answer:
    """A refusal as this gate's clients read it."""
    return answer(status, msgspec.json.encode({"error": sentence, "code": code}), headers=headers)


def _account_of(who: Principal) -> str:
    """The account that it is about is not in what they send, so the token says it."""
    if who.accounts is None or len(who.accounts) != 1:
        many = "all accounts" if who.accounts is None else f"{len(who.accounts)} accounts"
        raise Refusal(
            "role",
            f"This token is for {many}, and what is asked for here names none. Make one for exactly one account: "
            "reconciled tokens add NAME --role agent --account ACCOUNT.",
        )
    (account,) = who.accounts
    return account


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            headers = (TRY_AGAIN,) if refusal.status in {429, 503} else ()
            return _response(refused(refusal.status, refusal.code, refusal.sentence, headers))
        except BadBody as bad:
            return _response(refused(422, "bad_body", str(bad), ()))
        except StoreError:
            sentence = "The database does not answer now. Try again."
            return _response(refused(503, "store_unavailable", sentence, (TRY_AGAIN,)))

    return guarded


async def _by_the_framework(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    if problem.status_code == 405:
        return _response(refused(405, "method_not_allowed", "This path has no such method.", ()))
    return _response(refused(404, "unknown_path", "There is nothing at this path.", ()))


def _response(made: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in made.start["headers"]}
    return Response(made.body["body"], made.start["status"], headers)


def _json(said: dict[str, Json], status: int = 200) -> Response:
    return Response(msgspec.json.encode(said), status, media_type="application/json")
