"""Logs: one line per thing that happened, as JSON or for a person, and never a secret in them.

Everything goes through one chain, our own lines and those of the libraries below us, and the last thing before
a line is written is the redaction: it looks at names, at values, and at tracebacks.
"""

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal, TextIO

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
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a reload may change the form
    )


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
