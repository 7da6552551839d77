"""Who may come in, and by which policy is decided: changed by admins, and where there are two, never by one alone.

A change takes effect at once while fewer than two admins have signed in. From then on it waits until another admin
confirms it: one who did not propose it, and whom it is not about. Either way the journal has it, with what it changes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args

from sqlmodel import Session

from accounts.money import Money
from daemon.core.approval.principal import OWNER_ID, Principal, Role
from daemon.core.canonical import Json
from daemon.core.policy import UnusablePolicy, read_policy, version_of
from daemon.core.policy_difference import differences
from daemon.desk import persons
from daemon.desk.authority import authority
from daemon.desk.credentials import digest, identifier, make
from daemon.desk.names import free_name, known_accounts
from daemon.desk.refusals import Refusal
from daemon.store import changes, journal, people, policies
from daemon.store.changes import Change, Decided, Kind
from daemon.store.db import Store
from daemon.store.journal import Note
from daemon.store.people import Person

ADMINS_THAT_CONFIRM: Final = 2
ROLES: Final = tuple(role for role in get_args(Role) if role not in {"agent", OWNER_ID})
HASH_CHARS_MIN: Final = 8  # of a policy's version, as people copy it


@dataclass(frozen=True, slots=True)
class Invited:
    """A person and the code of the link that signs them in, shown once; `change` is what it waits for."""

    person: Person
    code: str
    change: str | None


@dataclass(frozen=True, slots=True)
class Activated:
    version: str
    differences: Sequence[str]
    change: str | None  # what it waits for; None: it is in force
    automatic_refunds: bool  # whether it names some: they need two people who stand for it


class Governing:
    def __init__(
        self,
        store: Store,
        now: Callable[[], datetime],
        accounts: Collection[str],
        policies_named: Collection[str],
    ) -> None:
        self._store = store
        self._now = now
        self._accounts = accounts
        self._policies_named = policies_named

    def people(self, who: Principal) -> list[Person]:
        require_admin(who)
        with self._store.reading() as session:
            return people.everybody(session)

    def add_person(
        self,
        who: Principal,
        name: str,
        role: str,
        accounts: Collection[str] = (),
        limits: Sequence[Money] = (),
    ) -> Invited:
        """No account named: all of them. No limit: none of their own."""
        require_admin(who)
        scope = known_accounts(accounts, self._accounts)
        code, now = make("invitation"), self._now()
        person = Person(identifier("per"), name, _role(role), scope, _once_each(limits), who.id, now)
        with self._store.transaction() as session:
            free_name(session, name)
            if any(each.name == name for each in changes.waiting(session, "person")):
                raise Refusal("name_taken", f"A change of “{name}” waits for an admin already.")
            content = persons.added(person) | {"invitation": digest(code)}
            return Invited(person, code, self._take(session, who, "person", name, content))

    def change_person(
        self,
        who: Principal,
        name: str,
        role: str | None = None,
        accounts: Collection[str] | None = None,
        limits: Sequence[Money] | None = None,
    ) -> str | None:
        """None leaves it as it is; an empty list means all accounts, or no limit. Gives what it waits for."""
        require_admin(who)
        with self._store.transaction() as session:
            person = self._named(session, name)
            changed = replace(
                person,
                role=person.role if role is None else _role(role),
                accounts=person.accounts if accounts is None else known_accounts(accounts, self._accounts),
                limits=person.limits if limits is None else _once_each(limits),
            )
            if changed == person:
                raise Refusal("nothing_to_do", f"{name} has exactly these rights already.")
            return self._take(session, who, "person", name, persons.changed(person, changed))

    def disable_person(self, who: Principal, name: str) -> str | None:
        require_admin(who)
        with self._store.transaction() as session:
            person = self._named(session, name)
            if person.disabled_at is not None:
                raise Refusal("nothing_to_do", f"{name} is disabled already.")
            return self._take(session, who, "person", name, persons.disabled(person))

    def enable_person(self, who: Principal, name: str) -> str | None:
        """Lets somebody in again who was disabled, with the rights that they had."""
        require_admin(who)
        with self._store.transaction() as session:
            person = self._named(session, name)
            if person.disabled_at is None:
                raise Refusal("nothing_to_do", f"{name} is not disabled.")
            return self._take(session, who, "person", name, persons.enabled(person))

    def invite(self, who: Principal, name: str) -> Invited:
        """A new link for somebody who lost the first one, or their token. Who holds it can sign in as them."""
        require_admin(who)
        code = make("invitation")
        with self._store.transaction() as session:
            person = self._named(session, name)
            if person.disabled_at is not None:
                raise Refusal("disabled", f"{name} is disabled, and no link lets them in.")
            content = persons.invited(person) | {"invitation": digest(code)}
            return Invited(person, code, self._take(session, who, "person", name, content))

    def activate_policy(self, who: Principal, name: str, text: str) -> Activated:
        """Raises Refusal where it cannot be used, or nothing of it is new."""
        require_admin(who)
        if name not in self._policies_named:
            known = ", ".join(sorted(self._policies_named))
            raise Refusal("unknown_policy", f"There is no policy “{name[:60]}”; [policies] has: {known}.")
        try:
            policy = read_policy(text)
        except UnusablePolicy as unusable:
            raise Refusal("bad_policy", str(unusable)) from None
        version = version_of(text)
        with self._store.transaction() as session:
            active = policies.active(session, name)
            before = active.hash if active is not None else None
            if before == version:
                raise Refusal("nothing_to_do", f"Version {version} of {name} is in force already.")
            said = differences(active.text if active is not None else None, text)
            policies.add(session, name, text, self._now())
            content: dict[str, Json] = {
                "what": "activate", "version": version, "instead_of": before, "differences": tuple(said),
            }  # fmt: skip
            change = self._take(session, who, "policy", name, content)
            return Activated(version, said, change, any(line.action == "refund" for line in policy.auto))

    def waiting(self, who: Principal) -> list[Change]:
        require_admin(who)
        with self._store.reading() as session:
            return changes.waiting(session)

    def confirm(self, who: Principal, id: str) -> Change:
        """Lets a change take effect that somebody else proposed."""
        with self._store.transaction() as session:
            change = self._confirmable(session, who, id)
            self._decide(session, id, "confirmed", who)
            journal.append(session, self._apply(session, change, who), self._now())
            return change

    def confirm_policy(self, who: Principal, version: str) -> str:
        """The same, by the policy's version; of one in force, the second word that automatic refunds need.

        Gives the version in full.
        """
        require_admin(who)
        if len(version) < HASH_CHARS_MIN:
            raise Refusal("unknown_change", f"Give at least {HASH_CHARS_MIN} characters of the version.")
        with self._store.reading() as session:
            found = [
                each
                for each in changes.waiting(session, "policy")
                if str(each.change["version"]).startswith(version)
            ]
        if found:
            return str(self.confirm(who, found[-1].id).change["version"])
        with self._store.transaction() as session:
            active = policies.unconfirmed(session, version)
            if active is None:
                raise Refusal("unknown_change", f"No policy of version {version[:64]} waits for anybody.")
            self._another(session, who, active.activated_by or OWNER_ID)
            by, second = _two_people(active.activated_by or OWNER_ID, who)
            policies.sign(session, active.name, active.hash, by=by, confirmed_by=second)
            body = {"policy": active.name, "version": active.hash, "confirmed_by": second, **_signed(who)}
            note = Note("policy_confirmed", who.name, body, subject=("policy", active.name))
            journal.append(session, note, self._now())
            return active.hash

    def withdraw(self, who: Principal, id: str) -> Change:
        """Ends a change that waits: its proposer's second thought, or another admin's no."""
        require_admin(who)
        with self._store.transaction() as session:
            change = _waiting(session, id)
            self._decide(session, id, "withdrawn", who)
            body = {"change": id, "of": change.name, "proposed_by": change.proposed_by, **_signed(who)}
            journal.append(
                session, Note("change_withdrawn", who.name, body, subject=("change", id)), self._now()
            )
            return change

    def _take(
        self, session: Session, who: Principal, kind: Kind, name: str, content: Mapping[str, Json]
    ) -> str | None:
        """Applies a change at once, or lets it wait and gives its id."""
        change = Change(identifier("chg"), kind, name, dict(content), who.id, self._now())
        if len(people.admins(session)) < ADMINS_THAT_CONFIRM:
            journal.append(session, self._apply(session, change, who), self._now())
            return None
        changes.propose(session, change)
        body: dict[str, Json] = {"change": persons.public(content), "of": name, "about": kind, **_signed(who)}
        note = Note("change_proposed", who.name, body, subject=("change", change.id))
        journal.append(session, note, self._now())
        return change.id

    def _apply(self, session: Session, change: Change, signer: Principal) -> Note:
        """Writes what changes, signed by who confirmed it, or proposed it where nobody has to; gives the note."""
        signed: dict[str, Json] = {"proposed_by": change.proposed_by, **_signed(signer)}
        if change.kind == "person":
            kind, body, subject = persons.apply(session, change, self._now())
            return Note(kind, signer.name, body | signed, subject=subject)
        version, before = str(change.change["version"]), change.change["instead_of"]
        active = policies.active(session, change.name)
        if (active.hash if active is not None else None) != before:
            raise Refusal(
                "stale_version",
                "Another version was put in force since this one was proposed, so its differences are no longer "
                "what they were. Propose it again.",
            )
        by, second = _two_people(change.proposed_by, signer)
        policies.activate(session, change.name, version, self._now())
        policies.sign(session, change.name, version, by=by, confirmed_by=second)
        said = {"policy": change.name, "version": version, "instead_of": before, "confirmed_by": second,
                "differences": change.change["differences"]}  # fmt: skip
        return Note("policy_activated", signer.name, said | signed, subject=("policy", change.name))

    def _confirmable(self, session: Session, who: Principal, id: str) -> Change:
        require_admin(who)
        change = _waiting(session, id)
        self._another(session, who, change.proposed_by)
        if change.kind == "person" and persons.whom(change) == who.person:
            raise Refusal("self_approval", "This change is about you; another admin confirms it.")
        return change

    def _decide(self, session: Session, id: str, state: Decided, who: Principal) -> None:
        if not changes.decide(session, id, state, who.id, self._now()):
            raise Refusal("already_decided", "Somebody else has decided that just now.")

    def _another(self, session: Session, who: Principal, proposed_by: str) -> None:
        if who.person is None:
            raise Refusal("role", "An admin confirms with a login of their own: `reconciled login LINK`.")
        if proposed_by == who.person:
            raise Refusal("self_approval", "You have proposed this; another admin confirms it.")
        if who.person not in {admin.id for admin in people.admins(session)}:
            raise Refusal("role", "Only an admin who has signed in confirms changes.")

    def _named(self, session: Session, name: str) -> Person:
        person = people.named(session, name)
        if person is None:
            raise Refusal("unknown_person", f"There is nobody called “{name[:60]}”.")
        return person


def require_admin(who: Principal) -> None:
    """Raises Refusal for everybody who is not an admin of the whole installation, or its owner."""
    if who.role != OWNER_ID and (who.role != "admin" or who.accounts is not None or who.person is None):
        raise Refusal("role", "Only an admin of all accounts may do this.")


def _waiting(session: Session, id: str) -> Change:
    change = changes.one(session, id)
    if change is None:
        raise Refusal("unknown_change", f"There is no change {id[:60]}.")
    if change.state != "waiting":
        raise Refusal("already_decided", f"This change was {change.state} already.")
    return change


def _role(role: str) -> str:
    if role not in ROLES:
        raise Refusal("bad_role", f"“{role[:40]}” is no role of a person; there are {', '.join(ROLES)}.")
    return role


def _once_each(limits: Sequence[Money]) -> tuple[Money, ...]:
    currencies = [each.currency for each in limits]
    for currency in currencies:
        if currencies.count(currency) > 1:
            raise Refusal("bad_limit", f"{currency.upper()} is limited twice; name each currency once.")
    return tuple(limits)


def _two_people(first: str, second: Principal) -> tuple[str, str | None]:
    """Who stands for a version, and who else does. The owner is nobody in particular, perhaps one of the admins."""
    if first in {OWNER_ID, second.id}:
        return second.id, None
    return first, second.id


def _signed(who: Principal) -> dict[str, Json]:
    return {"authority": authority(who)}
