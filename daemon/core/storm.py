"""The storm brake: when one pass would open too many cases of one rule, the other system is broken, not the books.

A CRM that answers with an empty page looks like a thousand customers without a record. What the brake holds
back is shown as one case; it opens after all if the next complete pass still wants it.
"""

from collections.abc import Mapping, Set
from fractions import Fraction
from typing import Final

from daemon.core.model import Kind
from daemon.core.rules import BY_KIND

HELD_SHARE_MIN: Final = Fraction(
    1, 20
)  # of the pass's subjects: ordinary change does not move that many at once
HELD_CASES_MIN: Final = 20  # fewer are read in a minute, so a small account is never braked


def storm(
    newly_wanted: Mapping[Kind, Set[str]],
    subjects: int,
    *,
    first_pass: bool,
    held_before: Mapping[Kind, Set[str]],
) -> dict[Kind, frozenset[str]]:
    """Which fingerprints one complete pass should hold back, by kind; all others may open.

    `newly_wanted` are the settled disagreements of this pass that have no open case, whether held until now
    or not. What the pass before held and this one still wants is agreed upon, and is not held again.
    """
    if first_pass:
        return {}
    held: dict[Kind, frozenset[str]] = {}
    for kind, wanted in newly_wanted.items():
        fresh = frozenset(wanted - held_before.get(kind, frozenset()))
        if BY_KIND[kind].braked and len(fresh) >= HELD_CASES_MIN and len(fresh) > HELD_SHARE_MIN * subjects:
            held[kind] = fresh
    return held
