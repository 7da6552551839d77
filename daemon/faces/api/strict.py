"""JSON as we take it: no floats, no number that a reader would round, no text that a database cannot hold, not deep.

What comes from outside is looked at once, here, so that nothing behind has to fear it.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from daemon.core.canonical import WHOLE_MAX

DEPTH_MAX: Final = 16  # no body of ours has more than four
DIGITS_MAX: Final = 17  # of a whole number, with its sign

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Problem(HTTPException):
    """A refusal before the desk was asked."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(status, sentence)
        self.code = code


def read(body: bytes) -> Any:
    """The value in this body. Raises Problem."""
    try:
        value = json.loads(
            body.decode(),
            parse_float=_no_float,
            parse_int=_whole,
            parse_constant=_no_float,
            object_pairs_hook=_no_twice,
        )
    except RecursionError:
        raise Problem(422, "bad_body", f"The body is nested deeper than {DEPTH_MAX}.") from None
    except ValueError:
        raise Problem(422, "bad_body", "The body is not JSON in UTF-8.") from None
    _look(value, 0)
    return value


class StrictRequest(Request):
    async def json(self) -> Any:
        return read(await self.body())


class StrictRoute(APIRoute):
    """A route whose body is read by `read`."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strictly


def _look(value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise Problem(422, "bad_body", f"The body is nested deeper than {DEPTH_MAX}.")
    match value:
        case str():
            _text(value)
        case list():
            for each in value:
                _look(each, depth + 1)
        case dict():
            for name, each in value.items():
                _text(name)
                _look(each, depth + 1)


def _text(text: str) -> None:
    if "\0" in text or (not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text)):
        raise Problem(422, "bad_text", "A text has a NUL in it, or half of a surrogate pair.")


def _no_float(text: str) -> NoReturn:
    raise Problem(
        422, "bad_number", "A number is not whole. Amounts are whole numbers in minor units: 17450."
    )


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX or abs(int(text)) > WHOLE_MAX:
        raise Problem(422, "bad_number", "A number is beyond 2^53, where many readers round.")
    return int(text)


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(
            422, "bad_body", "A name stands twice in one object, and only one of them can be meant."
        )
    return found
