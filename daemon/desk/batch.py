"""Many decisions at once: each for itself, so that one that cannot be taken takes nothing from the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from daemon.core.canonical import Json
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal
from daemon.store.errors import StoreError

ROWS_MAX: Final = 25  # what a person can look through before they click
# What each verb takes beside the case; of these the first ones have to be there.
FIELDS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "approve": (frozenset({"version", "state_hash"}), frozenset({"note"})),
    "reject": (frozenset({"version"}), frozenset({"state_hash", "note"})),
    "request-changes": (frozenset({"version"}), frozenset({"state_hash", "note"})),
    "withdraw": (frozenset({"version"}), frozenset({"state_hash", "note"})),
    "dismiss": (frozenset({"reason"}), frozenset()),
    "assign": (frozenset({"to"}), frozenset()),
}

Decide = Callable[[str, str, Mapping[str, Any]], Outcome]  # the verb, the case, and what the verb takes


def each(rows: Sequence[Mapping[str, Any]], decide: Decide) -> list[dict[str, Json]]:
    """The results in the order of the rows. Raises Refusal where there are too many."""
    if len(rows) > ROWS_MAX:
        raise Refusal("bad_details", f"{ROWS_MAX} rows at a time are the most; these are {len(rows)}.")
    return [_one(row, decide) for row in rows]


def _one(row: Mapping[str, Any], decide: Decide) -> dict[str, Json]:
    case_id = row.get("case_id")
    shown = {"case_id": case_id if isinstance(case_id, str) else None}
    try:
        done = decide(*_checked(row))
    except Refusal as refusal:
        return {**shown, **refused(refusal)}
    except StoreError as trouble:  # nothing of this row was written; the others have nothing to do with it
        return {**shown, **refused(Refusal("unreadable", str(trouble)))}
    return {**shown, "status": 200, "version": done.version, "state": done.state, "changed": done.changed}


def refused(refusal: Refusal) -> dict[str, Json]:
    return {"status": refusal.status, "code": refusal.code, "detail": refusal.sentence, **refusal.extra}


def _checked(row: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    given = dict(row)
    verb, case_id = given.pop("verb", None), given.pop("case_id", None)
    if not isinstance(case_id, str) or not isinstance(verb, str) or verb not in FIELDS:
        raise Refusal("bad_details", f"A row has a case_id and a verb, one of {', '.join(FIELDS)}.")
    needed, possible = FIELDS[verb]
    if not needed <= given.keys() <= needed | possible:
        wanted = ", ".join(sorted(needed | possible))
        raise Refusal(
            "bad_details", f"{verb} takes {wanted}, and of these it needs {', '.join(sorted(needed))}."
        )
    number = given.get("version", 0)
    texts = [value for name, value in given.items() if name != "version"]
    if not isinstance(number, int) or any(not isinstance(each, str | None) for each in texts):
        raise Refusal("bad_details", "version is a number, and everything else a text.")
    if verb != "approve":
        given.pop("state_hash", None)  # whoever says no need not have seen the newest
    return verb, case_id, given
