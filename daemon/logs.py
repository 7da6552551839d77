"""Logs: one line per thing that happened, as JSON or for a person, and never a secret in them.

Everything goes through one chain, our own lines and those of the libraries below us, and the last thing before
a line is written is the redaction: it looks at names, at values, and at tracebacks. A line carries what it is about:
`run` and `key` of the wake, `account`, `subject`, `case` and `request_id`, bound where they are known.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog

from accounts.secret import Secret, redact

Format = Literal["json", "console"]

# A value under one of these names is never written, whatever it looks like.
SECRET_NAMES = frozenset(
    {
        "api_key", "authorization", "client_secret", "confirmation_secret", "cookie", "password", "secret",
        "stripe_signature", "token", "x_api_key",
    }
)  # fmt: skip

# These speak about every request they make, with addresses that may hold personal detail.
QUIET_LIBRARIES = ("apscheduler", "httpx", "httpcore", "stripe", "urllib3", "uvicorn.access", "alembic")


REPEATS_MAX: Final = 10  # of the same line in a minute; who reads it knows by then
REPEATS_WITHIN_S: Final = 60.0
REPEATS_KNOWN_MAX: Final = 1_000  # lines that are remembered; a line is some hundred bytes
PASSING: Final = frozenset({"request_id"})  # another with every line, and so no other line


def redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor: removes secrets from one log line."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: object, value: Any) -> Any:
    if isinstance(value, Secret) or str(name).lower().replace("-", "_") in SECRET_NAMES:
        return "…"
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: _redacted(key, inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(name, inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return redact(str(value))


class Repeats:
    """The structlog processor that lets the same line through a few times a minute, and then counts it.

    What cannot be reached is tried again and again, and says so each time. Errors are never left out. The first line
    that is let through afterwards says how many were not.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._minutes: dict[tuple[str, ...], tuple[float, int]] = {}  # when it began, and how many there were

    def __call__(self, _: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if level in {"error", "exception", "critical"}:
            return event
        said = sorted((name, value) for name, value in event.items() if isinstance(value, str))
        line = tuple(f"{name}={value}" for name, value in said if name not in PASSING)
        now = self._now()
        with self._lock:
            began, count = self._minutes.get(line, (now, 0))
            left_out = 0
            if now - began >= REPEATS_WITHIN_S:
                left_out, began, count = max(count - REPEATS_MAX, 0), now, 0
            if line not in self._minutes and len(self._minutes) >= REPEATS_KNOWN_MAX:
                self._minutes.clear()
            self._minutes[line] = (began, count + 1)
        if count >= REPEATS_MAX:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event


def configure(form: Format = "json", stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Sends structlog's lines and the standard library's to one stream, in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for library in QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,  # about which account and case a line is makes it another line
            Repeats(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a reload may change the form
    )


def bound(name: str) -> str | None:
    """What this is about, where somebody above us has said so for the log."""
    found = structlog.contextvars.get_contextvars().get(name)
    return None if found is None else str(found)


def record_crash(directory: Path) -> Path | None:
    """Writes the traceback being handled to a file for whoever reports it, without secrets; None if it cannot."""
    path = directory / "crash.log"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            configure("json", file)
            structlog.get_logger("reconciled").exception("command_crashed")
    except OSError:
        return None
    return path
