"""What a person or program may see of all this: the queue, accounts, the journal and totals, each in their scope.

An account outside of somebody's scope does not exist for them. Nothing here changes anything.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlmodel import Session

from accounts.budget import ReadBudget
from daemon import views
from daemon.core.approval.principal import OWNER_ID, Principal
from daemon.core.canonical import Json
from daemon.core.model import AccountFacts
from daemon.observe.health import health_of
from daemon.observe.landscape import Cartographer, Land
from daemon.store import hearing, journal, people, stops
from daemon.store.changes import Change
from daemon.store.db import Store
from daemon.store.errors import Conflict, StoreError
from daemon.store.journal import Entry
from daemon.store.personal import Seal
from daemon.store.queue import BadCursor, Wanted
from daemon.store.tokens import Token
from daemon.store.totals import Counted, standing

__all__ = [
    "BadCursor",
    "Conflict",
    "Overview",
    "StoreError",
    "Wanted",
    "Withheld",
    "shown_change",
    "shown_token",
]

READERS_OF_THE_JOURNAL: Final = frozenset({"auditor", "admin", OWNER_ID})
MYSELF: Final = "me"
NOTHING: Final[dict[str, Json]] = {"items": [], "next": None, "total": 0}

Shown = dict[str, Json]


class Withheld(Exception):
    """It is not there, or not for whoever asks. The code is for programs, the message for people."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


class Overview:
    def __init__(
        self,
        store: Store,
        seal: Seal,
        cartographer: Cartographer,
        budget_of: Callable[[str], ReadBudget],
        acts: Mapping[str, bool],
        now: Callable[[], datetime],
        idle: Callable[[Session, str], str | None],
    ) -> None:
        """`acts` says of each account whether it is configured so that the daemon executes."""
        self._store = store
        self._seal = seal
        self._cartographer = cartographer
        self._budget_of = budget_of
        self._acts = acts
        self._now = now
        self._idle = idle

    def cases(self, who: Principal, wanted: Wanted, *, limit: int, cursor: str | None) -> Shown:
        """Raises BadCursor."""
        if who.accounts is not None:
            seen = [each for each in wanted.accounts or sorted(who.accounts) if who.sees(each)]
            if not seen:
                return NOTHING
            wanted = replace(wanted, accounts=seen)
        with self._store.reading() as session:
            if wanted.assignee is not None:
                wanted = replace(wanted, assignee=_whom(session, who, wanted.assignee))
            return views.cases(session, replace(wanted, now=self._now()), limit=limit, cursor=cursor)

    def case(self, who: Principal, id: str) -> Shown:
        with self._store.reading() as session:
            found = views.case(session, id, self._seal, self._now(), self._idle)
        if found is None or not who.sees(str(found["account"])):
            raise Withheld(404, "unknown_case", "There is no such case, or not for you.")
        return found

    def accounts(self, who: Principal) -> list[Shown]:
        with self._store.reading() as session:
            lands = self._cartographer.landscape(session).lands
            return [self._account(session, land) for slug, land in lands.items() if who.sees(slug)]

    def account(self, who: Principal, id: str) -> Shown:
        with self._store.reading() as session:
            land = self._cartographer.landscape(session).lands.get(id)
            if land is None or not who.sees(id):
                raise Withheld(404, "unknown_account", "There is no such account, or not for you.")
            return self._account(session, land)

    def journal(
        self, who: Principal, *, account: str | None, kind: str | None, limit: int, cursor: str | None
    ) -> Shown:
        """The newest entries; raises BadCursor."""
        _require_reader(who)
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal()):
            raise BadCursor("The cursor is not one that a page of the journal gave; begin without one.")
        if account is not None and not who.sees(account):
            return {"items": [], "next": None}
        before = min(int(cursor), 2**62) if cursor is not None else None
        with self._store.reading() as session:
            found = journal.entries(
                session,
                before=before,
                limit=limit,
                account=account,
                kind=kind,
                among=who.accounts if account is None else None,
            )
        full = len(found) == limit
        return {"items": [_entry(each) for each in found], "next": str(found[-1].seq) if full else None}

    def journal_head(self, who: Principal) -> Shown:
        _require_reader(who)
        with self._store.reading() as session:
            head = journal.head(session)
        return {"seq": head.seq, "hash": head.hash.hex()}

    def stats(self, who: Principal) -> Shown:
        """What stands, counted and summed; amounts of different currencies are never added."""
        with self._store.reading() as session:
            counted = standing(session)
        slugs = [each.slug for each in self._cartographer.accounts if who.sees(each.slug)]
        mine = [each for each in counted if who.sees(each.account)]
        return _totals(mine) | {
            "accounts": {slug: _totals([each for each in mine if each.account == slug]) for slug in slugs}
        }

    def stops(self, who: Principal) -> Shown:
        """Whether acting is stopped: everywhere, and in each account."""
        with self._store.reading() as session:
            slugs = [each.slug for each in self._cartographer.accounts if who.sees(each.slug)]
            everywhere = stops.stops(session).get(stops.EVERYWHERE)
            return {
                "stopped": everywhere is not None,
                "accounts": {slug: stops.stopped(session, slug) for slug in slugs},
            }

    def _account(self, session: Session, land: Land) -> Shown:
        facts, slug = land.facts, land.facts.slug
        health, position = health_of(session, land), hearing.position(session, slug)
        budget, stopped = self._budget_of(slug), stops.stopped(session, slug)
        troubles: list[Json] = [
            {
                "what": str(getattr(source, "value", source)),
                "since": _text(outage.since),
                "reason": outage.reason,
            }
            for source, outage in [*land.failing.items(), *land.troubles.items()]
        ]
        unwell = troubles or health.gap_from or health.endpoint_trouble or health.events_missed
        return {
            **_named(facts),
            "health": "degraded" if unwell else "ok",
            "executes": self._acts[slug] and stopped is None,
            "stopped": stopped,
            "key_trouble": health.key_trouble,
            "missing_permissions": {
                source.value: list(names) for source, names in health.missing_permissions.items()
            },
            "troubles": troubles,
            "events": {
                "complete_until": _moment(position.complete) if position is not None else None,
                "polled_at": _moment(position.polled_at) if position is not None else None,
                "missed": health.events_missed,
                "gap": {"since": _text(health.gap_from), "until": _text(health.gap_until)}
                if health.gap_from
                else None,
                "endpoint_trouble": list(health.endpoint_trouble),
            },
            "read_at": {source.value: _text(at) for source, at in sorted(land.passed_at.items())},
            "never_read": tuple(sorted(source.value for source in land.never_read)),
            "read_budget": {"owner": budget.owner, "used": budget.used, "allowed": budget.allowed},
        }


def shown_token(token: Token) -> Shown:
    """A token without what it is made of."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "user": token.person_id,
        "accounts": None if token.accounts is None else tuple(sorted(token.accounts)),
        "added_at": _text(token.added_at),
        "used_at": _text(token.used_at),
        "revoked_at": _text(token.revoked_at),
    }


def shown_change(change: Change) -> Shown:
    """A change that waits, or has waited, without the digest of a link that it may hold."""
    said = {name: value for name, value in change.change.items() if name != "invitation"}
    return {
        "id": change.id,
        "kind": change.kind,
        "name": change.name,
        "change": said,
        "proposed_by": change.proposed_by,
        "proposed_at": _text(change.proposed_at),
        "state": change.state,
    }


def _whom(session: Session, who: Principal, name: str) -> str:
    """The id of somebody by name; of nobody, what no case has."""
    if name == MYSELF:
        return who.id
    person = people.named(session, name)
    return person.id if person is not None else name


def _require_reader(who: Principal) -> None:
    if who.role not in READERS_OF_THE_JOURNAL:
        raise Withheld(403, "role", "Only auditors and admins read the journal.")


def _named(account: AccountFacts) -> Shown:
    return {
        "id": account.slug,
        "stripe_account": account.stripe_account,
        "livemode": account.livemode,
        "mode": account.mode,
    }


def _totals(counted: Sequence[Counted]) -> Shown:
    sums: dict[str, Counter[str]] = {name: Counter() for name in ("severity", "kind", "state", "amounts")}
    for each in counted:
        for name in ("severity", "kind", "state"):
            sums[name][getattr(each, name)] += each.cases
        if each.currency is not None:
            sums["amounts"][each.currency] += each.amount_minor
    return {
        "standing": sum(each.cases for each in counted),
        "by_severity": dict(sums["severity"]),
        "by_kind": dict(sums["kind"]),
        "by_state": dict(sums["state"]),
        "amounts": dict(sums["amounts"]),
    }


def _entry(entry: Entry) -> Shown:
    kind, subject = entry.subject or (None, None)
    return {
        "seq": entry.seq,
        "at": journal.spelled(entry.at),
        "kind": entry.kind,
        "actor": entry.actor,
        "account": entry.account,
        "subject": None if kind is None else {"kind": kind, "id": subject},
        "body": msgspec.json.decode(entry.body),
        "previous": entry.previous.hex(),
        "hash": entry.hash.hex(),
    }


def _moment(seconds: int) -> str | None:
    return _text(datetime.fromtimestamp(seconds, UTC)) if seconds else None


def _text(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None
