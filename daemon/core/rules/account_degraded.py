"""We cannot see, or no longer see, part of an account: its key, a permission, or a source that does not answer.

One case for the key, and one for each source. Until it is mended no rule that needs the source is judged: its cases
stay as they are. A source counts once it has not been read for an hour; a key or a permission counts at once.
`reconciled check` says which permission is missing and how to grant it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from daemon.core.canonical import Json
from daemon.core.model import (
    SYSTEM_OF,
    Disagreement,
    Facts,
    Found,
    Kind,
    LookAgain,
    Policy,
    Severity,
    Source,
    System,
    acknowledgement,
)

needs = ()
about = ("account",)

UNREAD_MAX: Final = timedelta(hours=1)  # looks retry within minutes; what lasts longer does not mend itself

KEY_TROUBLE: Final = {
    "unproven": "its key is not proven to be this account's",
    "revoked": "its key was revoked",
    "expired": "its key has expired",
    "wrong_account": "its key is another account's",
    "unreadable": "its key cannot be read from where the configuration says it is",
}


def account_degraded(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    health = facts.health
    if health is None:
        return
    if health.key_trouble is not None:
        why = KEY_TROUBLE.get(health.key_trouble, f"its key cannot be used ({health.key_trouble})")
        yield _case(facts, "key", why, {"key": health.key_trouble})
    for source in Source:
        if health.key_trouble is not None and SYSTEM_OF[source] is System.STRIPE:
            continue  # all of Stripe is unread for that one reason
        missing = health.missing_permissions.get(source)
        if missing is not None:
            names = " or ".join(missing) or "a permission that Stripe does not name"
            why = f"{source.value.replace('_', ' ')} may not be read: the key lacks {names}"
            yield _case(facts, source.value, why, {"missing": list(missing)})
            continue
        since = health.unread_since.get(source)
        if since is None:
            continue
        if now < since + UNREAD_MAX:
            yield LookAgain(since + UNREAD_MAX)
            continue
        why = f"{source.value.replace('_', ' ')} could not be read since {since:%Y-%m-%d %H:%M} UTC"
        yield _case(facts, source.value, why, {"unread_since": since.isoformat()}, source)


def _case(
    facts: Facts,
    resource: str,
    why: str,
    said: Mapping[str, Json],
    source: Source | None = None,
) -> Disagreement:
    system = SYSTEM_OF[source] if source is not None else System.STRIPE
    return Disagreement(
        kind=Kind.ACCOUNT_DEGRADED,
        subject=facts.subject,
        per=(f"account {resource}", facts.account.stripe_account),
        title=f"Account {facts.account.slug}: {why}",
        severity=Severity.HIGH,
        also_about=(facts.account.stripe_account,),
        facts={system: {"resource": resource, **said}},
        recommended=acknowledgement(),
        decided_by=f"degraded.{resource}",
    )
