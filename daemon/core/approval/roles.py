"""Roles: what each may do at the desk. Whether a vote counts is said by the approval matrix, not here.

A viewer reads. An analyst drafts, edits, assigns, comments and snoozes. An approver and a disputes reviewer do that
too, and vote. An admin configures, and votes only where the matrix names admins. An auditor reads the journal. An agent
stages, drafts on cases, edits and withdraws what it asked for, and comments. The owner is whoever works on the
installation's own machine.
"""

from collections.abc import Collection, Mapping
from typing import Final, Literal

from daemon.core.approval.objection import Objection
from daemon.core.approval.principal import Principal, Role

Verb = Literal[
    "read", "journal", "stage", "propose", "withdraw", "vote", "dismiss", "release", "assign", "snooze", "comment",
]  # fmt: skip

_READING: Final[frozenset[Verb]] = frozenset({"read"})
_WORKING: Final[frozenset[Verb]] = frozenset(
    {"read", "stage", "propose", "withdraw", "dismiss", "release", "assign", "snooze", "comment"}
)
_VOTING: Final[frozenset[Verb]] = _WORKING | {"vote"}

MAY: Final[Mapping[Role, frozenset[Verb]]] = {
    "viewer": _READING,
    "analyst": _VOTING,  # only where a line of the matrix names analysts
    "approver": _VOTING,
    "disputes": _VOTING,
    "admin": _VOTING | {"journal"},
    "auditor": _READING | {"journal"},
    "agent": frozenset({"read", "stage", "propose", "withdraw", "comment"}),
    "owner": _WORKING | {"journal"},
}


def objection(who: Principal, verb: Verb) -> Objection | None:
    """Why this role may not do that."""
    if verb in MAY[who.role]:
        return None
    return Objection("role", f"{who.name} has the role {who.role}, which may not {verb}.")


def objection_to_vote(who: Principal, roles: Collection[str]) -> Objection | None:
    """Why somebody of this role may not vote where the matrix wants one of these."""
    if who.person is None:
        return Objection(
            "role", f"{who.name} is a program. Only people decide; ask somebody who may approve."
        )
    if "vote" not in MAY[who.role] or who.role not in roles:
        wanted = " or ".join(sorted(roles))
        return Objection("role", f"{who.name} has the role {who.role}; this takes the role {wanted}.")
    return None
