"""The actions that rules recommend, with the parameters that the surface names."""

from collections.abc import Iterable
from typing import Final

from accounts.facts import Entitlement
from daemon.core.canonical import Json
from daemon.core.model.disagreement import Recommendation
from daemon.core.model.facts import Facts, Filed
from daemon.core.model.kinds import Kind
from daemon.core.model.policy import Policy

CLOSED: Final = (
    "canceled"  # for an entitlement without access, unless the rule's parameter `closed` has another word
)


def closing(
    facts: Facts, policy: Policy, kind: Kind, access: Iterable[Entitlement]
) -> tuple[Recommendation, ...]:
    """Closes each of these entitlements, and leaves all else about it as it is."""
    word = policy.parameter(kind, "closed", CLOSED)
    return tuple(entitlement_set(facts, each.feature, word, each.plan, each.quantity) for each in access)


def entitlement_set(
    facts: Facts, feature: str | None, status: Json, plan: str | None, quantity: int | None
) -> Recommendation:
    details: dict[str, Json] = {
        "customer": facts.subject.id,
        "feature": feature,
        "status": status,
        "plan": plan,
        "quantity": quantity,
    }
    return Recommendation("entitlement_set", details)


def correction(filed: Filed, **fields: Json) -> Recommendation:
    """Writes these of our fields into a record."""
    return Recommendation("crm_update", {"key": filed.record.key, "fields": fields})


def task(filed: Filed, title: str, body: str) -> Recommendation:
    return Recommendation("crm_task", {"key": filed.record.key, "title": title, "body": body, "due": None})


def acknowledgement() -> Recommendation:
    """Where nothing that we can do would settle it: a person has seen it."""
    return Recommendation("acknowledge", {})


def as_given(entitlements: Iterable[Entitlement]) -> dict[str, Json]:
    """Entitlements as a case shows them."""
    return {each.key: {"plan": each.plan, "status": each.status} for each in entitlements}
