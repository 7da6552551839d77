"""Staging: a program, or a person, asks for an action. The case is there when the answer is.

Asked again, it is the same request: under the caller's own key for good, without one while the same is still undecided,
for some minutes. The same key for something else is refused.
"""

import json
import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row
from sqlmodel import Session

from accounts.callbacks import Blocked
from accounts.facts import Subject
from accounts.registry import Account
from daemon.core.approval.limits import day_of, of_day
from daemon.core.approval.matrix import AUTOMATIC, auto_line
from daemon.core.approval.principal import Principal
from daemon.core.canonical import Json
from daemon.core.model import Kind, LiveProposal, fingerprint
from daemon.core.protocol import Step, since, to
from daemon.desk import drafting
from daemon.desk.drafting import Drawn
from daemon.desk.ground import Ground, require, subject_of
from daemon.desk.noting import checked, keep, on_proposal
from daemon.desk.refusals import Refusal
from daemon.desk.request import AskedAs, Request, Staged
from daemon.desk.standing import judged
from daemon.desk.telling import tell_caller
from daemon.store import decisions, journal, proposals, requests, spending
from daemon.store.cases import case_id
from daemon.store.journal import Note
from metrics.catalog import approvals

SAME_WITHIN: Final = timedelta(minutes=10)  # a client that lost the answer asks again within moments
KEY_CHARS_MAX: Final = 255
EXPIRES_S_MIN: Final = 1  # as every duration of ours; a program that asks may know of nobody who waits
EXPIRES_S_MAX: Final = 30 * 86_400  # a month later it is another request


def stage(ground: Ground, who: Principal, request: Request, key: str | None) -> Staged:
    """Raises Refusal."""
    require(who, "stage")
    account = ground.account(who, request.account)
    _check(ground, who, account, request, key)
    place, digest = _place_in_requests(ground, request, key)
    with ground.store.reading() as session:
        known = _known(session, ground, who, place, digest)
    if known is not None:
        return known
    drawn = drafting.draw(
        ground, account, request.action, request.details, request.execution, mapped=request.mapped
    )
    now = ground.now()
    with ground.store.transaction() as session:
        spending.alone(session)
        known = _known(session, ground, who, place, digest)  # somebody may have been faster
        if known is not None:
            return known
        staged = _write(session, ground, who, account, request, drawn, (place, digest), now)
    ground.changes.tell()
    ground.wake("act", account.id)
    return staged


def _check(ground: Ground, who: Principal, account: Account, request: Request, key: str | None) -> None:
    if account.mode == "observe":
        raise Refusal(
            "mode",
            f"Account {account.id} only observes: nothing is proposed there. Set mode to “propose” or “act”.",
        )
    if Kind.APPROVAL_REQUEST in ground.policy_of(account.id).off:
        raise Refusal("mode", f"The policy of account {account.id} switches approval_request off.")
    if not request.mapped and request.execution != "caller":
        raise Refusal(
            "bad_details", f"“{request.action[:60]}” is not one of our actions; only its caller can do it."
        )
    checked("summary", request.summary)
    checked("justification", request.justification)
    if key is not None and not (0 < len(key) <= KEY_CHARS_MAX and key.isprintable()):
        raise Refusal("bad_details", f"Idempotency-Key: 1 to {KEY_CHARS_MAX} printable letters are expected.")
    expires = request.expires_in_s
    if expires is not None and not EXPIRES_S_MIN <= expires <= EXPIRES_S_MAX:
        raise Refusal("bad_details", f"expires_in: from {EXPIRES_S_MIN} to {EXPIRES_S_MAX} seconds.")
    if request.callback_url is not None:
        _check_callback(ground, request.callback_url)


def _check_callback(ground: Ground, url: str) -> None:
    """Only hosts that the configuration names; whoever calls them asks again, and where they are, at every try."""
    try:
        ground.callbacks.place(url)
    except Blocked as blocked:
        raise Refusal("bad_details", f"callback_url: {blocked}") from None


def _place_in_requests(ground: Ground, request: Request, key: str | None) -> tuple[str, str]:
    """Under which key it is remembered, and what for."""
    whole = ground.seal.fingerprint(_text(asdict(request)))
    if key is not None:
        return requests.BY_KEY + key, whole
    said = request.asked_as or request  # in the caller's own words, where it has some
    content = ground.seal.fingerprint(_text([request.account, said.action, said.details]))
    return requests.BY_CONTENT + content, content


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=dict).encode()


def _known(session: Session, ground: Ground, who: Principal, place: str, digest: str) -> Staged | None:
    """What was staged for this very request before."""
    found = requests.one(session, who.id, place)
    if found is None:
        return None
    row = proposals.newest(session, found.proposal_id)
    assert row is not None, "a request is remembered with its proposal"
    if place.startswith(requests.BY_KEY) and found.digest != digest:
        raise Refusal(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Take a new key for each thing that you ask for.",
            proposal=row.id,
        )
    if place.startswith(requests.BY_CONTENT):
        undecided = row.state in {"pending", "changes_requested"}
        if not undecided or ground.now() - found.asked_at > SAME_WITHIN:
            return None
    return Staged(row.id, row.case_id, row.version, deduplicated=True)


def _write(
    session: Session,
    ground: Ground,
    who: Principal,
    account: Account,
    request: Request,
    drawn: Drawn,
    remembered: tuple[str, str],
    now: datetime,
) -> Staged:
    check_open(session, ground, who, account)
    proposal_id = f"prop_{secrets.token_hex(12)}"
    subject = drafting.subject_for(session, account, drawn)
    new = {
        **drafting.columns(ground, account, drawn, makers=makers_of(who), now=now),
        **drafting.periods(ground, request.expires_in_s, now),
        "id": proposal_id,
        "requested_by": who.id,
        "drafted_by": who.id,
        "token_id": who.token_id,
        "callback_url": request.callback_url,
        "asked_as": _names_of(request.asked_as),
    }
    case = case_id(fingerprint(
        account.livemode, account.stripe_account, Kind.APPROVAL_REQUEST,
        f"{new['target_type']} for {who.id}", new["target_id"],
    ))  # fmt: skip
    stood = proposals.hold(session, case)
    if stood is not None:
        subject = subject_of(stood)
    # A proposal is of a case, so a new case has to be there first; a known one stands again for what is stored.
    opened = [] if stood is not None else [*judged(session, ground, subject, now, beside=[_live(new)])]
    version = proposals.next_version(session, case)
    texts = _keep_texts(session, ground, subject, request, proposal_id, version)
    auto = _automatic(session, ground, account, drawn, now)
    if auto is not None:
        new |= {"policy_rule": auto, "approvals_needed": AUTOMATIC}
    drafting.keep_personal(session, ground, subject, proposal_id, version, drawn)
    if request.asked_as is not None:
        asked = json.dumps(dict(request.asked_as.details))
        keep(session, ground, subject, f"asked:{proposal_id}", asked)
    proposals.insert(
        session, **new, case_id=case, version=version, justification_digest=texts["justification"]
    )
    if stood is not None:
        opened += judged(session, ground, subject, now)
    place, digest = remembered
    requests.keep(session, who.id, place, digest=digest, proposal_id=proposal_id, now=now)
    row = proposals.one(session, case, version)
    assert row is not None, "it was just written"
    notes = [*opened, _staged(who, row, drawn, texts)]
    if auto is not None:
        notes.append(_approve_by_policy(session, ground, row, auto, now))
    journal.append_all(session, notes, now)
    return Staged(proposal_id, case, version, deduplicated=False)


def makers_of(who: Principal) -> set[str]:
    """The people who made what this principal makes: of an agent, whoever made its token."""
    return {each for each in (who.person, who.owner_person) if each is not None}


def check_open(session: Session, ground: Ground, who: Principal, account: Account) -> None:
    """Raises Refusal where a program has as many requests open as the policy allows."""
    most = ground.policy_of(account.id).limits.agent_open_proposals
    if who.role == "agent" and proposals.live_of(session, who.id, account.id) >= most:
        raise Refusal(
            "too_many_open",
            f"{who.name} has {most} requests open on account {account.id}, which is the most. Wait for decisions, or "
            "withdraw some.",
        )


def _names_of(asked: AskedAs | None) -> Json:
    return None if asked is None else {"action": asked.action, "fields": dict(asked.fields)}


def _live(new: dict[str, Any]) -> LiveProposal:
    return LiveProposal(
        id=new["id"],
        version=1,
        action=new["action"],
        target_type=new["target_type"],
        target_id=new["target_id"],
        requested_by=new["requested_by"],
        execution=new["execution"],
        state=new["state"],
        created_at=new["created_at"],
        details=new["details"],
        amount_minor=new["amount"],
        currency=new["currency"],
        expires_at=new["expires_at"],
    )


def _keep_texts(
    session: Session, ground: Ground, subject: Subject, request: Request, proposal_id: str, version: int
) -> dict[str, str | None]:
    """What the caller says about it, by the digest that is kept in sight."""
    of_version = f"{proposal_id}:v{version}"
    return {
        name: keep(session, ground, subject, f"{name}:{of_version}", text)
        for name, text in (("summary", request.summary), ("justification", request.justification))
    }


def _staged(who: Principal, row: Row[Any], drawn: Drawn, texts: dict[str, str | None]) -> Note:
    return on_proposal(
        "proposal_staged",
        who,
        row,
        details=row.details,
        details_digest=row.details_digest,
        effect=row.effect,
        policy=row.policy_version,
        rule=row.policy_rule,
        texts=texts,
    )


def _automatic(session: Session, ground: Ground, account: Account, drawn: Drawn, now: datetime) -> str | None:
    """The line of the policy that approves this without a person, inside all caps and limits."""
    policy, money, action = ground.policy_of(account.id), drawn.asked.money, drawn.action.name
    found = auto_line(policy, action, account.id, money)
    if found is None or action not in ground.actions:
        return None
    name, line = found
    if money is None:
        return name
    if not decisions.two_admins_agreed(session, policy):
        return None
    day = day_of(now, ground.timezone)
    spent = spending.automatically(session, account.id, action, day).get(money.currency, 0)
    if line.day is not None and spent + money.amount_minor > line.day.amount_minor:
        return None
    of_account = (account.id, spending.by_account(session, account.id, day))
    return name if of_day(policy.limits, money, person=("", {}), account=of_account) is None else None


def _approve_by_policy(session: Session, ground: Ground, row: Row[Any], auto: str, now: datetime) -> Note:
    executable_at = now + ground.approvals.undo
    proposals.move(
        session, row.id, row.version, since=since(Step.REACH_QUORUM), to=to(Step.REACH_QUORUM), now=now,
        reason=f"The policy approves it: {auto}.", executable_at=executable_at,
        expires_at=executable_at + timedelta(seconds=row.expires_in_s),
    )  # fmt: skip
    tell_caller(session, row, now)
    approvals.labels(Kind.APPROVAL_REQUEST.value, "approved", "policy").inc()
    return on_proposal("proposal_approved", "policy", row, policy=row.policy_version, rule=auto, votes=[])
