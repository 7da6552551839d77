"""Stripe's events do not all reach us: webhooks were missed, or events are older than what Stripe still keeps.

Nothing is lost by it, since polls and sweeps find what events did not tell, but it is found later. Usual causes: the
endpoint was disabled, its secret is another one, some event types are not enabled, or it speaks another API version.
It ends when webhooks bring everything again, and a full sweep has covered the gap.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from daemon.core.model import (
    Disagreement,
    Facts,
    Found,
    Kind,
    Policy,
    Severity,
    System,
    acknowledgement,
)

needs = ()
about = ("account",)

ENDPOINT_TROUBLE: Final = {
    "disabled": "the webhook endpoint is disabled",
    "missing_types": "the webhook endpoint does not send every type that we use",
    "other_version": "the webhook endpoint speaks another API version",
    "bad_signatures": "webhooks come with signatures of another secret",
}


def event_gap(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    health = facts.health
    if health is None:
        return
    gap = health.gap_from is not None
    reasons = [ENDPOINT_TROUBLE.get(each, each.replace("_", " ")) for each in health.endpoint_trouble]
    if health.events_missed:
        reasons.append("polling found events that no webhook brought")
    if gap:
        reasons.append(
            "some events are older than what Stripe keeps, so a full sweep has to find what they said"
        )
    if not reasons:
        return
    yield Disagreement(
        kind=Kind.EVENT_GAP,
        subject=facts.subject,
        per=("account", facts.account.stripe_account),
        title=f"Account {facts.account.slug}: {'; '.join(reasons)}",
        severity=Severity.CRITICAL,
        also_about=(facts.account.stripe_account,),
        facts={
            System.STRIPE: {
                "endpoint": tuple(sorted(health.endpoint_trouble)),
                "missed": bool(health.events_missed),
                "gap_from": health.gap_from.isoformat() if health.gap_from is not None else None,
                "gap_until": health.gap_until.isoformat() if health.gap_until is not None else None,
            }
        },
        recommended=acknowledgement(),
        decided_by="event_gap.beyond_28_days" if gap else "event_gap.webhooks",
        notes={"events_missed": health.events_missed},
    )
