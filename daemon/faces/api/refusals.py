"""Every refusal in one form: problem+json with a stable code, whoever refuses, and nothing of what was typed."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from accounts.secret import redact
from daemon.asgi import PROBLEM, Answer, problem
from daemon.desk.refusals import Refusal
from daemon.faces.api.strict import Problem
from daemon.overview import BadCursor, Conflict, StoreError, Withheld

ERRORS_SHOWN_MAX = 20
TRY_AGAIN = (b"retry-after", b"5")


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _by_the_desk)
    app.add_exception_handler(Withheld, _by_the_views)
    app.add_exception_handler(RequestValidationError, _by_the_shape)
    app.add_exception_handler(HTTPException, _by_the_framework)
    app.add_exception_handler(BadCursor, _bad_cursor)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(StoreError, _by_the_store)
    app.add_exception_handler(Exception, _a_fault)


def response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.start["headers"]}
    return Response(answer.body["body"], answer.start["status"], headers, PROBLEM.decode())


def _by_the_desk(request: Request, refusal: Any) -> Response:
    headers = (TRY_AGAIN,) if refusal.status in {429, 503} else ()
    return response(problem(refusal.status, refusal.code, refusal.sentence, headers, refusal.extra))


def _by_the_views(request: Request, withheld: Any) -> Response:
    return response(problem(withheld.status, withheld.code, str(withheld)))


def _by_the_shape(request: Request, invalid: Any) -> Response:
    """Where something is wrong and what should be there; never what was there instead."""
    errors = [
        {"where": ".".join(redact(str(part))[:80] for part in error["loc"][1:]), "sentence": error["msg"]}
        for error in invalid.errors()[:ERRORS_SHOWN_MAX]
    ]
    first = (
        f"{errors[0]['where']}: {errors[0]['sentence']}" if errors else "The request is not as it should be."
    )
    return response(problem(422, "bad_request", first, (), {"errors": errors}))


def _by_the_framework(request: Request, refused: Any) -> Response:
    if isinstance(refused, Problem):
        return response(problem(refused.status_code, refused.code, refused.detail))
    if refused.status_code == 405:
        allowed = {name.lower(): value for name, value in (refused.headers or {}).items()}.get("allow", "")
        return response(
            problem(
                405, "method_not_allowed", "This path has no such method.", ((b"allow", allowed.encode()),)
            )
        )
    if refused.status_code == 404:
        return response(problem(404, "unknown_path", "There is nothing at this path."))
    return response(problem(400, "bad_request", "The request could not be read."))


def _bad_cursor(request: Request, bad: Any) -> Response:
    return response(problem(422, "bad_cursor", str(bad)))


def _conflict(request: Request, conflict: Any) -> Response:
    return response(problem(409, "conflict", "Somebody else has done the same just now. Look again."))


def _by_the_store(request: Request, problem_: Any) -> Response:
    return response(
        problem(503, "store_unavailable", "The database does not answer now. Try again.", (TRY_AGAIN,))
    )


def _a_fault(request: Request, fault: Any) -> Response:
    """The door writes it into the log."""
    return response(problem(500, "internal", "This is a fault of ours, and the log has the details."))
