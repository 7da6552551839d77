"""One line of the log for every verb: who did what to which case, and what came of it.

The line that tells of a fault has no traceback: whoever answers the request logs that, under the same `request_id`.
"""

from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

import structlog
from structlog.contextvars import bind_contextvars

from daemon.core.approval.principal import Principal
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal
from daemon.desk.request import Staged

log = structlog.get_logger(__name__)

Came = TypeVar("Came", Outcome, Staged)


def said(verb: str, who: Principal, do: Callable[[], Came]) -> Came:
    """Does it. What is bound meanwhile is on all lines that are logged because of it, and on none after that."""
    return copy_context().run(_said, verb, who, do)


def _said(verb: str, who: Principal, do: Callable[[], Came]) -> Came:
    bind_contextvars(verb=verb, by=who.id)
    try:
        came = do()
    except Refusal as refusal:
        log.info("verb_refused", code=refusal.code)
        raise
    except Exception as fault:
        log.warning("verb_failed", fault=type(fault).__name__)
        raise
    changed = came.changed if isinstance(came, Outcome) else not came.deduplicated
    log.info("verb_done", case=came.case_id, proposal=came.proposal_id, version=came.version, changed=changed)
    return came
