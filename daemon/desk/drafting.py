"""From what somebody asks for to a version that can be voted on: read, seen live, checked, and put into columns."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Row
from sqlmodel import Session

from accounts.errors import ObservationError
from accounts.facts import Address, Subject
from accounts.registry import Account
from daemon.actions.shape import Action, Asked, BadDetails, Place, Seen
from daemon.core.approval import wording
from daemon.core.approval.editing import Draft
from daemon.core.approval.matrix import Need, need_of
from daemon.core.canonical import Json, NotCanonical, canonical, digest
from daemon.desk.ground import Ground
from daemon.desk.refusals import Refusal
from daemon.desk.request import Execution
from daemon.desk.unmapped import Unmapped
from daemon.observe import keeping
from daemon.observe.owners import ACCOUNT, CUSTOMER, subject_of
from daemon.store import personal, proposals
from daemon.store.decisions import money_of

OBJECTS_OF_THEIR_OWN = frozenset(
    {"charge", "payment_intent", "refund", "dispute", "review", "payout", "invoice", "subscription"}
)  # what can be looked at by itself where it is no customer's


@dataclass(frozen=True, slots=True)
class Drawn:
    """An action with its details as they were understood, and the world as it was seen for it."""

    action: Action
    asked: Asked
    seen: Seen
    effect: str
    execution: Execution

    @property
    def details(self) -> dict[str, Json]:
        """Whole, with what is personal in them."""
        return {**self.asked.details, **self.asked.personal}

    @property
    def state_hash(self) -> str:
        return digest(self.seen.material).hex()

    @property
    def draft(self) -> Draft:
        return Draft(self.action.name, self.details, self.execution, self.asked.money)


def draw(
    ground: Ground,
    account: Account,
    action: str,
    details: Mapping[str, Json],
    execution: Execution,
    *,
    subject: Subject | None = None,
    mapped: bool = True,
    instead_of: Row[Any] | None = None,
) -> Drawn:
    """Reads the details, and the target live; `instead_of` is the version whose place it is to take. Raises Refusal."""
    place = ground.place(account, subject)
    if instead_of is not None and instead_of.action == action:
        chosen = action_of(ground, instead_of)
    else:
        chosen = known(ground, action, mapped=mapped)
    if chosen.caller_only and execution != "caller":
        raise Refusal("bad_details", f"{action} is never done by us: execution is “caller”, or leave it.")
    asked = understood(chosen, details, place)
    seen = look(ground, account, chosen, asked)
    asked = seen.completed or asked
    problem = chosen.preflight(asked, seen, ground.now())
    if problem is not None:
        raise Refusal("bad_details", problem)
    if subject is None and seen.customer is not None:
        place = ground.place(account, Subject(account.id, CUSTOMER, seen.customer))
    return Drawn(chosen, asked, seen, chosen.describe(asked, place), execution)


def action_of(ground: Ground, row: Row[Any]) -> Action:
    """The action of a version, which may be one that nobody has mapped."""
    target = Address(row.target_type, row.target_id)
    return known(ground, row.action, mapped=row.action in ground.actions, target=target)


def known(ground: Ground, action: str, *, mapped: bool = True, target: Address | None = None) -> Action:
    if not mapped:
        try:
            return cast(Action, Unmapped(action, ground.seal, target))
        except BadDetails as problem:
            raise Refusal("bad_details", str(problem)) from None
    found = ground.actions.get(action)
    if found is None:
        names = ", ".join(sorted(ground.actions))
        raise Refusal(
            "bad_details",
            f"There is no action “{action[:60]}”; there are {names}. Any other is its caller's to do: execution is "
            "“caller”.",
        )
    return found


def understood(action: Action, details: Mapping[str, Json], place: Place) -> Asked:
    try:
        for text in wording.texts_in(details):
            objection = wording.objection_to(text, chars_max=None)  # how long, each action knows
            if objection is not None:
                raise Refusal("bad_details", f"A text in the details {objection}.")
        asked = action.read(details, place)
        canonical(asked.details)
    except (BadDetails, NotCanonical) as problem:
        raise Refusal("bad_details", str(problem)) from None
    return asked


def look(ground: Ground, account: Account, action: Action, asked: Asked) -> Seen:
    """The target as it is now. Raises Refusal where there is none, or where it cannot be read."""
    try:
        return action.see(ground.hands(account.id), asked)
    except BadDetails as problem:
        raise Refusal("bad_details", str(problem)) from None
    except ObservationError as problem:
        raise Refusal("unreadable", f"{problem} Ask again later.") from None


def subject_for(session: Session, account: Account, drawn: Drawn) -> Subject:
    """Whose matter it is: the customer's, as far as Stripe or the store can tell."""
    seen = drawn.seen
    if seen.customer is not None:
        return Subject(account.id, CUSTOMER, seen.customer)
    if seen.target.type == CUSTOMER:
        return Subject(account.id, CUSTOMER, seen.target.id)
    owner = keeping.owners_of(session, account.id, [seen.target]).get(seen.target)
    if owner is not None:
        return subject_of(account.id, owner)
    if seen.target.type in OBJECTS_OF_THEIR_OWN:
        return Subject(account.id, seen.target.type, seen.target.id)
    return Subject(account.id, ACCOUNT, account.id)


def columns(
    ground: Ground, account: Account, drawn: Drawn, *, makers: Collection[str], now: datetime
) -> dict[str, Any]:
    """What a version says by itself: all but whose it is, its place on a case, and its state."""
    money, policy = drawn.asked.money, ground.policy_of(account.id)
    need: Need = need_of(policy, drawn.action.name, account.id, money)
    return {
        "account": account.id,
        "stripe_account": account.stripe_account,
        "livemode": account.livemode,
        "action": drawn.action.name,
        "target_type": drawn.seen.target.type,
        "target_id": drawn.seen.target.id,
        "details": drawn.asked.details,
        "details_digest": proposals.digest_of(ground.seal, drawn.details),
        "snapshot": drawn.seen.material,
        "state_hash": drawn.state_hash,
        "amount": money.amount_minor if money is not None else None,
        "currency": money.currency if money is not None else None,
        "effect": drawn.effect,
        "execution": drawn.execution,
        "makers": sorted(makers),
        "policy_version": policy.version,
        "policy_rule": need.rule,
        "approvals_needed": need.approvers,
        "created_at": now,
        "state": "pending",
        "state_since": now,
    }


def periods(ground: Ground, expires_in_s: int | None, now: datetime) -> dict[str, Any]:
    """How long it waits for votes, and then for being done."""
    waits_s = expires_in_s or int(proposals.WAITS.total_seconds())
    return {
        "waits_s": waits_s,
        "expires_in_s": expires_in_s or int(ground.approvals.expires.total_seconds()),
        "expires_at": now + timedelta(seconds=waits_s),
    }


def draft_of(session: Session, ground: Ground, row: Row[Any]) -> Draft:
    """A stored version as edits are compared. Raises Erased."""
    details = proposals.details_of(session, ground.seal, row)
    return Draft(row.action, details, row.execution, money_of(row))


def keep_personal(
    session: Session, ground: Ground, subject: Subject, proposal_id: str, version: int, drawn: Drawn
) -> None:
    """What is personal in the details, and in what the reviewer is to see of the world: encrypted."""
    if drawn.asked.personal:
        piece = proposals.piece_of(subject, proposal_id, version)
        personal.write(session, ground.seal, piece, _text(drawn.asked.personal), ground.now())
    keep_seen(session, ground, subject, proposal_id, version, drawn.seen)


def keep_seen(
    session: Session, ground: Ground, subject: Subject, proposal_id: str, version: int, seen: Seen
) -> None:
    if seen.personal:
        piece = proposals.seen_piece_of(subject, proposal_id, version)
        personal.write(session, ground.seal, piece, _text(seen.personal), ground.now())


def _text(value: Mapping[str, Json]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=dict)
