"""Proposing on a case: a person drafts an action for it, takes the daemon's own draft, or edits what waits there.

An edit is a new version of the same proposal: it voids all votes, and whoever made it becomes one of its makers, unless
it only gives less (`daemon.core.approval.editing`). Something else beside what waits is another proposal.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row
from sqlmodel import Session

from daemon.core.approval.editing import makers_after
from daemon.core.approval.principal import Principal
from daemon.core.canonical import Json
from daemon.core.model import Kind
from daemon.core.protocol import LIVE, Step, since, to
from daemon.desk import drafting
from daemon.desk.deciding import over, stale_version, version_of
from daemon.desk.drafting import Drawn
from daemon.desk.ground import Ground, require, subject_of
from daemon.desk.noting import checked, keep, on_proposal
from daemon.desk.outcome import Outcome
from daemon.desk.refusals import Refusal
from daemon.desk.request import Execution
from daemon.desk.staging import check_open, makers_of
from daemon.desk.standing import judged
from daemon.desk.telling import tell_caller
from daemon.store import journal, proposals, spending
from daemon.store.journal import Note
from daemon.store.proposals import Erased

BY_US: Final = "daemon"  # who drafted what a rule recommends


@dataclass(frozen=True, slots=True)
class Wish:
    action: str
    details: Mapping[str, Json]
    as_drafted: bool  # by the rule, word for word


def propose(
    ground: Ground,
    who: Principal,
    case_id: str,
    action: str | None = None,
    details: Mapping[str, Json] | None = None,
    justification: str | None = None,
    execution: Execution | None = None,
    version: int | None = None,
) -> Outcome:
    """A new version on this case; without an action what the case recommends. Raises Refusal."""
    require(who, "propose")
    justification = checked("justification", justification)
    with ground.store.reading() as session:
        case = ground.case(session, who, case_id, held=False)
        _check(ground, who, case)
        wish = _wish(case, action, details)
        before = _meant(session, ground, who, case, version, wish.action)
    account = ground.account(who, case.account)
    carried_out = execution or (before.execution if before is not None else "daemon")
    drawn = drafting.draw(
        ground, account, wish.action, wish.details, carried_out, subject=subject_of(case),
        instead_of=before,
    )  # fmt: skip
    now = ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        case = ground.case(session, who, case_id)
        _check(ground, who, case)
        before = _meant(session, ground, who, case, version, wish.action)
        if before is None:
            outcome, notes = _first(session, ground, who, case, wish, drawn, justification, now)
        else:
            outcome, notes = edited(session, ground, who, case, before, drawn, justification, now)
        if outcome.changed:
            notes = [*judged(session, ground, subject_of(case), now), *notes]
            journal.append_all(session, notes, now)
    ground.changes.tell()
    return outcome


def edited(
    session: Session,
    ground: Ground,
    who: Principal,
    case: Row[Any],
    before: Row[Any],
    drawn: Drawn,
    justification: str | None,
    now: datetime,
) -> tuple[Outcome, list[Note]]:
    """Puts another version in the place of `before`, whose case is held. The same again is no edit."""
    try:
        old = drafting.draft_of(session, ground, before)
    except Erased as erased:
        raise Refusal("moot", str(erased)) from None
    if case.kind == Kind.APPROVAL_REQUEST.value:
        _require_same_target(before, drawn)
    if before.asked_as is not None and drawn.execution != before.execution:
        # Its program only hears “approved”, and would do what we do as well.
        raise Refusal("bad_details", f"Proposal {before.id} is executed by whoever asked for it.")
    new = drawn.draft
    same = proposals.digest_of(ground.seal, new.details) == before.details_digest
    if same and (old.action, old.execution) == (new.action, new.execution):
        return Outcome(case.id, before.id, before.version, before.state, changed=False), []
    _supersede(session, ground, before, f"{who.name} edited it.", now)
    version = proposals.next_version(session, case.id)
    digest = keep(session, ground, subject_of(case), f"justification:{before.id}:v{version}", justification)
    account = ground.account(who, case.account)
    makers = makers_after(before.makers, makers_of(who), old, new)
    columns = drafting.columns(ground, account, drawn, makers=makers, now=now)
    drafting.keep_personal(session, ground, subject_of(case), before.id, version, drawn)
    proposals.again(
        session, before, now, **columns, drafted_by=who.id,
        justification_digest=digest or before.justification_digest,
    )  # fmt: skip
    row = version_of(session, case, version)
    note = on_proposal(
        "proposal_edited", who, row, instead_of=before.version, effect=row.effect,
        details=row.details, details_digest=row.details_digest, difference=proposals.difference(before, row),
        makers=row.makers, policy=row.policy_version, rule=row.policy_rule, justification=digest,
    )  # fmt: skip
    return Outcome(case.id, before.id, version, "pending"), [note]


def _first(
    session: Session,
    ground: Ground,
    who: Principal,
    case: Row[Any],
    wish: Wish,
    drawn: Drawn,
    justification: str | None,
    now: datetime,
) -> tuple[Outcome, list[Note]]:
    account, subject = ground.account(who, case.account), subject_of(case)
    check_open(session, ground, who, account)
    requested_by, makers = who.id, makers_of(who)
    if case.kind == Kind.APPROVAL_REQUEST.value:
        # Beside what somebody asked for: it is for the same requester, as the whole case is.
        asked = proposals.of_case(session, case.id)[0]
        _require_same_target(asked, drawn)
        if who.role == "agent" and asked.requested_by != who.id:
            raise Refusal("role", f"{who.name} is a program, and asks for things in a case of its own.")
        requested_by, makers = asked.requested_by, makers | set(asked.makers)
    proposal_id, version = f"prop_{secrets.token_hex(12)}", proposals.next_version(session, case.id)
    # What a rule drafted is nobody's own idea. Money is: whoever asks for that is a maker of it in any case.
    ours = wish.as_drafted and drawn.asked.money is None
    digest = keep(session, ground, subject, f"justification:{proposal_id}:v{version}", justification)
    drafting.keep_personal(session, ground, subject, proposal_id, version, drawn)
    proposals.insert(
        session,
        **drafting.columns(ground, account, drawn, makers=() if ours else makers, now=now),
        **drafting.periods(ground, None, now),
        id=proposal_id,
        version=version,
        case_id=case.id,
        requested_by=requested_by,
        drafted_by=BY_US if ours else who.id,
        token_id=who.token_id,
        justification_digest=digest,
    )
    row = version_of(session, case, version)
    note = on_proposal(
        "proposal_drafted", who, row, effect=row.effect, details=row.details, drafted_by=row.drafted_by,
        details_digest=row.details_digest, policy=row.policy_version, rule=row.policy_rule, justification=digest,
    )  # fmt: skip
    return Outcome(case.id, proposal_id, version, "pending"), [note]


def _require_same_target(asked: Row[Any], drawn: Drawn) -> None:
    """A request's case is about one object. Raises Refusal."""
    if (asked.target_type, asked.target_id) != tuple(drawn.seen.target):
        raise Refusal(
            "bad_details",
            f"This request is about {asked.target_id}. Ask for something about {drawn.seen.target.id} in a request of "
            "its own.",
        )


def _supersede(session: Session, ground: Ground, before: Row[Any], reason: str, now: datetime) -> None:
    moved = proposals.move(
        session, before.id, before.version, since=since(Step.EDIT), to=to(Step.EDIT), now=now, reason=reason,
        executable_at=None,
    )  # fmt: skip
    if not moved:  # the executor was faster
        raise Refusal("executing", f"Proposal {before.id} is being executed; it can no longer be edited.")
    tell_caller(session, before, now)


def _check(ground: Ground, who: Principal, case: Row[Any]) -> None:
    if ground.account(who, case.account).mode == "observe":
        raise Refusal(
            "mode",
            f"Account {case.account} only observes: nothing is proposed there. Set mode to “propose” or “act”.",
        )
    if case.state == "resolved":
        raise Refusal("moot", "The case is resolved: there is nothing left to propose.")


def _wish(case: Row[Any], action: str | None, details: Mapping[str, Json] | None) -> Wish:
    """What is asked for, and whether the case's own rule has drafted just that."""
    drafted = [case.detail.get("recommended"), *case.detail.get("drafts", ())]
    drafted = [each for each in drafted if each is not None]
    if action is None:
        if not drafted or drafted[0] is None:
            raise Refusal("bad_details", "The case recommends nothing; name an action and its details.")
        action = str(drafted[0]["action"])
    same = [each for each in drafted if each["action"] == action]
    if details is None:
        if not same:
            raise Refusal("bad_details", f"The case has no draft of {action}; give the details.")
        return Wish(action, same[0]["details"], as_drafted=True)
    return Wish(action, details, as_drafted=any(each["details"] == details for each in same))


def _meant(
    session: Session, ground: Ground, who: Principal, case: Row[Any], version: int | None, action: str
) -> Row[Any] | None:
    """The version that is to be edited: the one that is named, else the newest live one of this action.

    A program edits only what it asked for itself.
    """
    rows = proposals.of_case(session, case.id)
    if version is None:
        live = [row for row in rows if row.state in LIVE and row.action == action and _may_edit(who, row)]
        newest = live[-1] if live else None
        editable = newest is not None and newest.state in since(Step.EDIT) and not _told(ground, newest)
        return newest if editable else None
    row = version_of(session, case, version)
    if not _may_edit(who, row):
        raise Refusal("role", f"{who.name} is a program, and edits only what it asked for itself.")
    if row.asked_as is not None and action != row.action:
        # Its program only hears “approved”, and would still do what it had asked for.
        raise Refusal(
            "bad_details", f"Proposal {row.id} can only be for {row.action}: its program does that itself."
        )
    if row.version != max(each.version for each in rows if each.id == row.id):
        raise stale_version(session, ground, row)
    if row.state in {"executing", "unknown"} or _told(ground, row):
        raise Refusal("executing", f"Proposal {row.id} is being executed; it can no longer be edited.")
    if row.state not in since(Step.EDIT):
        raise over(session, ground, row)
    return row


def _may_edit(who: Principal, row: Row[Any]) -> bool:
    return who.role != "agent" or row.requested_by == who.id


def _told(ground: Ground, row: Row[Any]) -> bool:
    """Whether its caller may have been told that it is approved: then it cannot be taken back."""
    since_when = row.executable_at
    return row.execution == "caller" and since_when is not None and since_when <= ground.now()
