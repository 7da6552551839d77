"""Times as people write them: a day, a time, or how far from now."""

import re
from datetime import UTC, datetime

from daemon.cli.terminal import Failed, now
from daemon.core.policy_sections import duration_in

DURATION = re.compile(r"\d+[smhdw]")


def moment(text: str | None) -> datetime | None:
    """Reads an ISO date or time; without a zone it is UTC. Raises Failed with a sentence."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failed(
            f"“{text[:40]}” is neither a date nor a time; write 2026-11-21 or 2026-11-21T14:00:00Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def moment_or_ago(text: str | None) -> datetime | None:
    """The same, or how long ago: 3d, 2h. Raises Failed with a sentence."""
    if text is None or not DURATION.fullmatch(text):
        return moment(text)
    try:
        return now() - duration_in(text)
    except (ValueError, OverflowError):
        raise Failed(f"“{text[:40]}” ago is no time that there was; write 3d or 2h.") from None


def moment_or_ahead(text: str | None) -> datetime | None:
    """The same, or how long from now. Raises Failed with a sentence."""
    if text is None or not DURATION.fullmatch(text):
        return moment(text)
    try:
        return now() + duration_in(text)
    except (ValueError, OverflowError):
        raise Failed(f"“{text[:40]}” from now is no time; write 3d or 2h.") from None
