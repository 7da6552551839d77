"""What an incident turns on a system that is not Stripe: how it misbehaves, and after how many good answers."""

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import Literal

from accounts.sandbox.http import Face, HungUp, Request, Response, answer

Fault = Literal[
    "down",  # the connection is closed without an answer
    "error",  # 500
    "limited",  # asked to wait, in the system's own words
    "unauthorized",
    "forbidden",
    "half",  # the connection is closed in the middle of the answer
    "garbled",  # a proxy's page in place of JSON, with status 200
    "writes_refused",
    "answers_lost",  # writes are carried out, and the connection is closed instead of the answer
]

RETRY_AFTER_S = 7


@dataclass(slots=True)
class Dials:
    fault: Fault | None = None
    after: int = 0  # so many requests are still answered well
    slow_s: float = 0.0
    page_rows_max: int = 2000
    tokens: set[str] = field(default_factory=set)  # issued by OAuth; to clear it is to let all expire
    requests: int = 0

    def due(self) -> Fault | None:
        """The fault that this request meets."""
        self.requests += 1
        if self.fault is None or self.after > 0:
            self.after = max(0, self.after - 1)
            return None
        return self.fault


def behind(dials: Dials, face: Face, limited: Response) -> Face:
    """The face as the dials let it be seen; `limited` is how this system says that it was asked too often."""

    async def faced(request: Request) -> Response:
        if dials.slow_s:
            await asyncio.sleep(dials.slow_s)
        fault, writes = dials.due(), request.method != "GET"
        match fault:
            case "down":
                raise HungUp
            case "error":
                return answer({"message": "something went wrong"}, 500)
            case "limited":
                return limited
            case "unauthorized":
                return answer({"message": "these credentials were revoked"}, 401)
            case "forbidden":
                return answer({"message": "a scope is missing"}, 403)
            case "garbled":
                return Response(200, b"<html>back in a minute</html>", {"content-type": "text/html"})
            case "writes_refused" if writes:
                return answer({"message": "this record is locked"}, 422)
        found = face(request)
        response = await found if inspect.isawaitable(found) else found
        if fault == "half":
            raise HungUp(response.body[: len(response.body) // 2])
        if fault == "answers_lost" and writes:
            raise HungUp
        return response

    return faced
