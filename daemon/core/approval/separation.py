"""Separation of duties: nobody decides on what they made. This is the one place that says so.

Every path to a vote comes through here: one proposal or a batch, from a browser, a terminal or a program. An admin is
no exception, and neither is somebody alone, but for solo mode: where fewer than two people could vote at all, the
maker may approve after signing in anew, and what is approved so waits for the cool-down first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from daemon.core.approval.objection import Objection
from daemon.core.approval.principal import Principal

ALONE_BELOW: Final = 2  # with a second person there is somebody to ask


@dataclass(frozen=True, slots=True)
class Apart:
    """They may decide. `solo`: for want of anybody else, so that the cool-down has to pass."""

    solo: bool = False


def apart(who: Principal, makers: Collection[str], *, approvers: int, could_vote: int) -> Apart | Objection:
    """Whether this person may vote on what these have made; `could_vote` counts those with the right to at all."""
    if who.person is None:
        return Objection(
            "role", f"{who.name} is a program. Only people decide; ask somebody who may approve."
        )
    alone = could_vote < ALONE_BELOW
    if who.person not in makers:
        return Apart(solo=alone and approvers > 1 and who.stepped_up)
    if not alone:
        return Objection(
            "self_approval", "Nobody approves what they asked for or wrote. Somebody else has to."
        )
    if not who.stepped_up:
        return Objection(
            "self_approval",
            "Nobody approves what they asked for or wrote. Where there is only one reviewer, signing in anew with a "
            "second factor allows it after a cool-down, and this version has no sign-in yet: add a second reviewer "
            "with `reconciled users add`.",
        )
    return Apart(solo=True)
