"""What the journal says of a verb: who, how they came in, what they were allowed at that moment, and what they did."""

from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from accounts.facts import Subject
from daemon.core.approval import wording
from daemon.core.approval.principal import Principal
from daemon.core.canonical import Json
from daemon.desk.authority import authority
from daemon.desk.ground import Ground
from daemon.desk.refusals import Refusal
from daemon.store import personal
from daemon.store.journal import Note
from daemon.store.personal import Piece


def on_case(kind: str, who: Principal, case: Row[Any], **body: Json) -> Note:
    said = {"case": case.id, "authority": authority(who), **body}
    return Note(kind, who.name, said, account=case.account, subject=("case", case.id))


def on_proposal(kind: str, who: Principal | str, row: Row[Any], **body: Json) -> Note:
    """About one version; `row` as it was before."""
    said: dict[str, Json] = {
        "case": row.case_id,
        "proposal": row.id,
        "version": row.version,
        "action": row.action,
        "target": [row.target_type, row.target_id],
        "amount": None if row.amount is None else [row.amount, row.currency],
        "execution": row.execution,
        "state_hash": row.state_hash,
        **body,
    }
    if isinstance(who, Principal):
        said["authority"] = authority(who)
    name = who.name if isinstance(who, Principal) else who
    return Note(kind, name, said, account=row.account, subject=("case", row.case_id))


def checked(name: str, text: str | None) -> str | None:
    """A text that somebody wrote, or None where there is nothing in it. Raises Refusal."""
    if text is None or not text.strip():
        return None
    objection = wording.objection_to(text)
    if objection is not None:
        raise Refusal("bad_details", f"The {name} {objection}.")
    return text


def keep(session: Session, ground: Ground, subject: Subject, name: str, text: str | None) -> str | None:
    """Keeps a text encrypted, and answers the digest that journal and rows may hold."""
    if text is None:
        return None
    return personal.write(session, ground.seal, Piece(subject, name), text, ground.now())
