"""One rule would open so many cases at once that the other system is more likely broken than the books.

The cases are held back, and this one stands for them. Two choices: show them (`reconciled cases release`), or switch
the rule off for this account in the policy. If the next complete pass still wants them, they open by themselves.
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
    System,
    acknowledgement,
)

needs = ()
about = ("account",)

EXAMPLES_MAX: Final = 3


def rule_storm(facts: Facts, policy: Policy, now: datetime) -> Iterator[Found]:
    health = facts.health
    if health is None:
        return
    slug = facts.account.slug
    for kind, held in sorted(health.held.items()):
        yield Disagreement(
            kind=Kind.RULE_STORM,
            subject=facts.subject,
            per=(f"rule {kind}", facts.account.stripe_account),
            title=f"Account {slug}: {held.count} new cases of {kind} at once are held back",
            also_about=(facts.account.stripe_account, *held.examples[:EXAMPLES_MAX]),
            facts={System.STRIPE: {"rule": kind}},
            recommended=acknowledgement(),
            decided_by=f"storm.{kind}",
            notes={
                "count": held.count,
                "subjects": held.subjects,
                "examples": list(held.examples[:EXAMPLES_MAX]),
                "choices": ["release", f"[accounts.{slug}.rules] {kind} = false"],
            },
        )
