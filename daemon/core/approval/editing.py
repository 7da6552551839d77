"""Editing: what a change of a proposal means for who may vote on it, and what exactly changed.

An editor becomes a maker of the new version. Only one edit makes nobody a maker: the same action on the same object
with a smaller amount of the same currency, and nothing else changed. So a lone reviewer may give less than was asked
for, and never more or something else.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from accounts.money import Money
from daemon.core.canonical import Json


@dataclass(frozen=True, slots=True)
class Draft:
    action: str
    details: Mapping[str, Json]  # whole, with what is personal in them
    execution: str
    money: Money | None = None


def is_down(old: Draft, new: Draft) -> bool:
    """Whether the new version only gives less."""
    if old.money is None or new.money is None or old.money.currency != new.money.currency:
        return False
    if (old.action, old.execution) != (new.action, new.execution):
        return False
    if not 0 < new.money.amount_minor < old.money.amount_minor:
        return False
    changed = {name for name in old.details.keys() | new.details.keys() if _at(old, name) != _at(new, name)}
    return changed == {"amount"}


def makers_after(makers: Collection[str], editors: Collection[str], old: Draft, new: Draft) -> frozenset[str]:
    """Who made the new version, of those who made the old one and those who edited it."""
    return frozenset(makers) if is_down(old, new) else frozenset(makers) | frozenset(editors)


def patch(old: Json, new: Json, at: str = "") -> list[Json]:
    """What changed, as a JSON Patch (RFC 6902). Lists are compared as wholes."""
    return list(_operations(old, new, at))


def _operations(old: Json, new: Json, at: str) -> Iterator[Json]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if old != new or type(old) is not type(new):  # 1 is not true
            yield {"op": "replace", "path": at, "value": new}
        return
    for name in sorted(old.keys() | new.keys()):
        path = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in new:
            yield {"op": "remove", "path": path}
        elif name not in old:
            yield {"op": "add", "path": path, "value": new[name]}
        else:
            yield from _operations(old[name], new[name], path)


def _at(draft: Draft, name: str) -> tuple[bool, Json]:
    return name in draft.details, draft.details.get(name)
