"""What callers of the gate call our actions and their fields, as [gate.actions] says and as it is built in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.actions import BY_NAME
from daemon.actions.refund import REASONS
from daemon.core.approval import gate
from daemon.core.approval.gate import BUILT_IN, Fields
from daemon.core.canonical import Json
from daemon.desk.request import AskedAs, Request
from daemon.settings import GateAction

REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Names:
    known: Mapping[str, tuple[str, Fields]]  # theirs to ours

    @classmethod
    def of(cls, configured: Mapping[str, GateAction]) -> "Names":
        """Ours are known by themselves; what is configured wins."""
        own: dict[str, tuple[str, Fields]] = {name: (name, {}) for name in BY_NAME}
        return cls(
            own | dict(BUILT_IN) | {name: (each.action, each.fields) for name, each in configured.items()}
        )

    def request(
        self,
        account: str,
        action: str,
        details: Mapping[str, Any],
        *,
        summary: str | None,
        justification: str | None,
        callback_url: str | None,
    ) -> Request:
        """What is to be staged. An action that nobody has named is decided on as it is, and cannot be verified."""
        ours, fields = self.known.get(action, (action, {}))
        mapped = action in self.known
        known = {name: gate.exact(value) for name, value in details.items()}
        translated = gate.ours(known, fields) if mapped else known
        if ours == REFUND and mapped:
            translated, justification = _with_a_reason_that_stripe_takes(translated, justification)
        return Request(
            account=account,
            action=ours,
            details=translated,
            summary=summary,
            justification=justification,
            execution="caller",
            callback_url=callback_url,
            mapped=mapped,
            asked_as=AskedAs(action, fields, details),
        )


def _with_a_reason_that_stripe_takes(
    details: dict[str, Json], justification: str | None
) -> tuple[dict[str, Json], str | None]:
    """Agents give reasons in sentences; Stripe knows three words. A sentence is a justification."""
    reason = details.get("reason")
    if not isinstance(reason, str) or reason in REASONS:
        return details, justification
    without = {name: value for name, value in details.items() if name != "reason"}
    return without, f"{justification}\n{reason}" if justification else reason
