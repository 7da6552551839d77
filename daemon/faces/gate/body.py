"""What callers of the gate send. A field that is not named here is never built: the `apiKey` in the body among them."""

from typing import Any, Final

import msgspec

DEPTH_MAX: Final = 16


class BadBody(Exception):
    """The body is not what it should be; a sentence, and nothing of what was sent."""


class Asked(msgspec.Struct, rename="camel"):
    action: str
    details: dict[str, Any]  # as they are spelled, which they are answered in
    summary: str | None = None
    justification: str | None = None
    callback_url: str | None = None
    webhook_url: str | None = None
    max_wait_ms: int | float | None = None

    def callback(self) -> str | None:
        """Both names were in use."""
        return self.callback_url or self.webhook_url

    def wait_s(self, most_s: float) -> float:
        return min(max((self.max_wait_ms or 0) / 1000, 0.0), most_s)


_DECODER: Final = msgspec.json.Decoder(Asked)


def read(body: bytes) -> Asked:
    """Raises BadBody."""
    try:
        asked = _DECODER.decode(body)
    except msgspec.ValidationError as problem:
        raise BadBody(f"The body is not as it should be: {problem}.") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadBody("The body is not JSON in UTF-8, or nested too deeply.") from None
    _look(asked.details, 0)
    return asked


def _look(value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise BadBody(f"The details are nested deeper than {DEPTH_MAX}.")
    match value:
        case str() if "\0" in value:
            raise BadBody("A text has a NUL in it.")
        case list():
            for each in value:
                _look(each, depth + 1)
        case dict():
            for name, each in value.items():
                _look(name, depth)
                _look(each, depth + 1)
