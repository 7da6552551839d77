"""Gives a task to whoever looks after a customer, in the CRM.

No CRM tells which task was ours, so a lost answer stays unknown until a person has looked; the proposal's id at the end
of the task's text is what to look for.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, cast

from accounts.crm import Task
from accounts.facts import Address
from daemon.actions import details as given_as
from daemon.actions.record import crm_of, the_record
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

name: Final = "crm_task"
where: Final = "crm"
repeatable: Final = False
verifiable: Final = False
caller_only: Final = False

FIELDS: Final = ("key", "title", "body", "due")
TITLE_CHARACTERS_MAX: Final = 250  # what Salesforce takes as a subject, all but five
BODY_CHARACTERS_MAX: Final = 30_000  # what Salesforce and HubSpot both take
DUE_WITHIN: Final = timedelta(days=7)  # where nobody says when


def read(details: Mapping[str, Json], place: Place) -> Asked:
    """Title and text are people's words, and may name people: they are personal."""
    given = given_as.known(details, name, FIELDS)
    key = given_as.a_key(given, "key")
    words: dict[str, Json] = {
        "title": given_as.a_text(given, "title", TITLE_CHARACTERS_MAX),
        "body": given_as.a_text(given, "body", BODY_CHARACTERS_MAX),
    }
    due = _day(given["due"]).isoformat() if "due" in given else None
    return Asked({"key": key, "due": due}, Address("record", key), personal=words)


def _day(value: Json) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise BadDetails("due: a day such as 2026-02-01.") from None


def see(hands: Hands, asked: Asked) -> Seen:
    record = the_record(hands, asked.target.id)
    ours = record.stripe_account in (None, hands.reader.stripe_account)
    material: dict[str, Json] = {"key": record.key, "stripe_customer": record.stripe_customer}
    due = (hands.now + DUE_WITHIN).date().isoformat()
    completed = (
        replace(asked, details={**asked.details, "due": due}) if asked.details["due"] is None else None
    )
    return Seen(
        asked.target, material, record.stripe_customer if ours else None, {"crm": crm_of(hands)}, completed
    )


def describe(asked: Asked, place: Place) -> str:
    due = f", due on {asked.details['due']}" if asked.details["due"] is not None else ""
    return given_as.button(f"Add a task to the CRM's record {asked.target.id}{due},", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    return None if seen.objects["crm"].tasks else "The CRM takes no tasks from us; configure write.task."


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    return {"key": asked.target.id, "due": asked.details["due"], "reference": tag}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    day = _day(request["due"]) if request["due"] is not None else (hands.now + DUE_WITHIN).date()
    words = cast(Mapping[str, str], asked.personal)
    crm_of(hands).add_task(
        Task(
            key=asked.target.id,
            title=words["title"],
            body=f"{words['body'].rstrip()}\n\n({request['reference']})",
            due=datetime.combine(day, time(), UTC),
        )
    )
    return Done(asked.target.id)


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    return Trace.UNSURE
