"""What can change about a person: how it is written down while it waits, and how it then takes effect."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session

from accounts.money import Money
from daemon.core.canonical import Json
from daemon.desk.names import free_name
from daemon.desk.refusals import Refusal
from daemon.store import people
from daemon.store.changes import Change
from daemon.store.people import Person

LINK_VALID: Final = timedelta(hours=24)  # from when it may be used; long enough for a mail to be read
SECRET: Final = frozenset({"invitation"})  # what of a change nobody is shown: a digest that opens a door


def added(person: Person) -> dict[str, Json]:
    return {"what": "add", "id": person.id, **_rights(person), "by": person.added_by}


def changed(before: Person, after: Person) -> dict[str, Json]:
    return {"what": "change", "id": before.id, **_rights(after), "before": _rights(before)}


def disabled(person: Person) -> dict[str, Json]:
    return {"what": "disable", "id": person.id}


def enabled(person: Person) -> dict[str, Json]:
    return {"what": "enable", "id": person.id}


def invited(person: Person) -> dict[str, Json]:
    return {"what": "invite", "id": person.id}


def whom(change: Change) -> str:
    return str(change.change["id"])


def public(content: Mapping[str, Json]) -> dict[str, Json]:
    """A change without what nobody is shown."""
    return {name: value for name, value in content.items() if name not in SECRET}


def apply(session: Session, change: Change, now: datetime) -> tuple[str, dict[str, Json], tuple[str, str]]:
    """Writes it, and gives what the journal says of it: kind, body and subject."""
    content: dict[str, Any] = change.change
    id = str(content["id"])
    body: dict[str, Json] = {"name": change.name}
    body |= {name: value for name, value in public(content).items() if name not in {"what", "by"}}
    match content["what"]:
        case "add":
            free_name(session, change.name)
            scope, limits = _scope(content), _limits(content)
            people.add(session, Person(id, change.name, content["role"], scope, limits, content["by"], now))
            people.invite(session, content["invitation"], id, now, now + LINK_VALID)
            return "person_added", body, ("person", id)
        case "change":
            before = people.hold(session, id)
            if before is None or _rights(before) != content["before"]:
                raise Refusal(
                    "stale_version",
                    "This person's rights were changed since, so this would undo it. Propose it again.",
                )
            people.change(session, id, content["role"], _scope(content), _limits(content))
            return "person_changed", body, ("person", id)
        case "invite":
            people.invite(session, content["invitation"], id, now, now + LINK_VALID)
            return "person_invited", body, ("person", id)
        case "disable":
            people.disable(session, id, now)
            return "person_disabled", body, ("person", id)
        case other:
            assert other == "enable"
            people.enable(session, id)
            return "person_enabled", body, ("person", id)


def _rights(person: Person) -> dict[str, Json]:
    return {
        "role": person.role,
        "accounts": None if person.accounts is None else [*sorted(person.accounts)],
        "limits": [[each.amount_minor, each.currency] for each in person.limits],
    }


def _scope(content: Mapping[str, Any]) -> frozenset[str] | None:
    return None if content["accounts"] is None else frozenset(content["accounts"])


def _limits(content: Mapping[str, Any]) -> tuple[Money, ...]:
    return tuple(Money(amount, currency) for amount, currency in content["limits"])
