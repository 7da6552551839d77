"""The journal as an auditor reads it: one row an entry, with cells for who, on whose authority, what, and how it ended.

Nothing is looked up beside the entry, so a cell says what was written down at that moment and is covered by its hash;
the body stands at the end, whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from accounts.money import Money
from daemon.core.approval.matrix import AUTOMATIC
from daemon.core.canonical import Json
from daemon.store.journal import Entry, spelled

COLUMNS: Final = (
    "seq", "at", "kind", "actor", "account", "stripe_account", "livemode", "subject_kind", "subject_id",
    "person", "role", "limits", "accounts", "method", "delegation",
    "case", "proposal", "version", "action", "target", "amount", "draft", "final", "difference",
    "policy", "rule", "state_seen", "state_executed", "world_changed",
    "idempotency_key", "object", "request_id", "outcome",
    "body", "previous", "hash",
)  # fmt: skip

BETWEEN: Final = " | "  # several people who stand for one thing, in the same order in each of their cells
ASKED_FOR: Final = frozenset({"proposal_staged", "proposal_drafted"})  # their details are the draft
OF_THE_WORLD: Final = frozenset({"proposal_outdated", "proposal_stale"})  # what differs is not the draft
SENT: Final = "attempt_sent"  # its authority is everybody's who approved it


class Authority(msgspec.Struct):
    """What somebody was allowed at that moment, and how they came in."""

    who: str
    name: str | None = None
    role: str | None = None
    accounts: list[str] | None = None
    limits: list[tuple[int, str]] = []
    way: str | None = None
    token: str | None = None
    for_: str | None = msgspec.field(name="for", default=None)
    stepped_up: bool = False
    solo: bool = False


class Vote(msgspec.Struct):
    verdict: str
    authority: Authority
    saw: str | None = None


class Word(msgspec.Struct):
    """On whose word something was done, and what they had made of what was asked for."""

    votes: list[Vote]
    approvals_needed: int
    policy: str | None = None
    policy_rule: str | None = None
    draft: Any = None
    final: Any = None
    difference: Any = None
    amount: tuple[int, str] | None = None


class Said(msgspec.Struct):
    """What bodies have in common; each has some of it."""

    authority: Any = None
    stripe_account: str | None = None
    livemode: bool | None = None
    case: str | None = None
    proposal: str | None = None
    version: int | str | None = None
    action: str | None = None
    target: tuple[str, str] | None = None
    amount: tuple[int, str] | None = None
    draft: Any = None
    details: Any = None
    difference: Any = None
    differences: Any = None
    policy: str | None = None
    rule: str | None = None
    seen: str | None = None
    state_hash: str | None = None
    key: str | None = None
    object: str | None = None
    request_id: str | None = None
    status: str | None = None
    why: str | None = None


def row(entry: Entry) -> list[str]:
    """One entry, its cells in the order of the columns."""
    try:
        said = msgspec.json.decode(entry.body, type=Said)
        word = msgspec.convert(said.authority, Word) if entry.kind == SENT else None
        on = list(_people(said, word))
    except msgspec.DecodeError:
        # Not a body as we write them. `verify` says what is wrong with it; here it stands, for everybody to see.
        said, word, on = Said(), None, []
    kind, subject = entry.subject or ("", "")
    cells: dict[str, Json] = {
        "seq": entry.seq,
        "at": spelled(entry.at),
        "kind": entry.kind,
        "actor": entry.actor,
        "account": entry.account,
        "stripe_account": said.stripe_account,
        "livemode": said.livemode,
        "subject_kind": kind,
        "subject_id": subject,
        "person": BETWEEN.join(f"{each.name} ({each.who})" if each.name else each.who for each in on),
        "role": BETWEEN.join(each.role or "" for each in on),
        "limits": BETWEEN.join(map(_limits, on)),
        "accounts": BETWEEN.join("all" if each.accounts is None else ", ".join(each.accounts) for each in on),
        "method": BETWEEN.join(map(_method, on)),
        "delegation": BETWEEN.join(f"for {each.for_}" for each in on if each.for_),
        "case": said.case,
        "proposal": said.proposal,
        "version": said.version,
        "action": said.action,
        "target": "/".join(said.target) if said.target else None,
        "amount": _amount(word.amount if word else said.amount),
        **_drafts(entry.kind, said, word),
        "policy": word.policy if word else said.policy,
        "rule": word.policy_rule if word else said.rule,
        "state_seen": _seen(said, word),
        "state_executed": said.state_hash if word else None,
        "world_changed": said.difference if entry.kind in OF_THE_WORLD else None,
        "idempotency_key": said.key,
        "object": said.object,
        "request_id": said.request_id,
        "outcome": said.status or said.why,
        "body": entry.body,
        "previous": entry.previous.hex(),
        "hash": entry.hash.hex(),
    }
    return [_text(cells[name]) for name in COLUMNS]


def _people(said: Said, word: Word | None) -> Iterator[Authority]:
    """On whose authority: of what is sent, everybody's who approved it, or the policy's where nobody had to."""
    if word is None:
        if said.authority is not None:
            yield msgspec.convert(said.authority, Authority)
        return
    if word.approvals_needed == AUTOMATIC:
        yield Authority("the policy")
    yield from (vote.authority for vote in _for_it(word))


def _for_it(word: Word) -> Sequence[Vote]:
    return [vote for vote in word.votes if vote.verdict == "approve"]


def _drafts(kind: str, said: Said, word: Word | None) -> dict[str, Json]:
    if word is not None:
        return {"draft": word.draft, "final": word.final, "difference": word.difference}
    difference = None if kind in OF_THE_WORLD else said.difference or said.differences
    if kind in ASKED_FOR:
        return {"draft": said.details, "final": None, "difference": difference}
    return {"draft": said.draft, "final": said.details, "difference": difference}


def _seen(said: Said, word: Word | None) -> str | None:
    if word is not None:
        return BETWEEN.join(vote.saw or "" for vote in _for_it(word))
    return said.seen or said.state_hash


def _limits(each: Authority) -> str:
    return ", ".join(str(Money(amount, currency)) for amount, currency in each.limits) or "none of their own"


def _method(each: Authority) -> str:
    solo = "alone, with a cool-down" if each.solo else None
    words = (each.way, each.token, "stepped up" if each.stepped_up else None, solo)
    return ", ".join(word for word in words if word)


def _amount(amount: tuple[int, str] | None) -> str | None:
    return None if amount is None else str(Money(*amount))


def _text(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str() | int():
            return str(value)
    return msgspec.json.encode(value, order="sorted").decode()
