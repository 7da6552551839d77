"""The landscape: which accounts there are, and how completely each class of each source is known.

It is drawn from the configuration and the passes, and drawn anew when a pass ended or something failed; between, a
look asks the database for one number only.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlmodel import Session

from accounts.stripe.resources import BY_NAME, BY_TYPE
from daemon.core.model import AccountFacts, Estate, Source
from daemon.store import passes
from daemon.store.passes import Completeness, Outage, Reading

# Classes of Stripe that rules ask for; coupons come inside others, and are read where those are.
OF_STRIPE: Final = tuple(source for source in Source if source.value in BY_NAME)
SOURCE_OF_TYPE: Final = {BY_NAME[source.value].type: source for source in OF_STRIPE}
NO_PERMISSION: Final = "permission"  # the reason of an outage that only a person can end


@dataclass(frozen=True, slots=True)
class Land:
    """One account in the landscape."""

    facts: AccountFacts
    estate: Estate
    never_read: frozenset[Source]  # of which no pass has ended yet
    failing: Mapping[Source, Outage]
    passed_at: Mapping[Source, datetime]  # when the last pass that ended began: nothing of it is older
    troubles: Mapping[str, Outage]  # what fails and is no class: the key

    @property
    def sources(self) -> tuple[Source, ...]:
        return sources_of(self.facts)


@dataclass(frozen=True, slots=True)
class Landscape:
    lands: Mapping[str, Land]  # by slug
    slugs: Mapping[str, str]  # by Stripe's account id

    def meant(self, stripe_account: str | None, users: Sequence[str]) -> Sequence[str]:
        """The accounts, by slug, that a row concerns which names this one, or none."""
        if stripe_account is None:
            return users
        slug = self.slugs.get(stripe_account)
        return () if slug is None else (slug,)

    def users_of_crm(self, source: str) -> Sequence[AccountFacts]:
        return [
            each.facts for each in self.lands.values() if each.facts.crm and each.facts.crm.source == source
        ]

    def users_of_entitlements(self, source: str) -> Sequence[AccountFacts]:
        return [
            each.facts
            for each in self.lands.values()
            if each.facts.entitlements and each.facts.entitlements.source == source
        ]


class Cartographer:
    """Draws the landscape, and keeps the drawing while it is right."""

    def __init__(self, accounts: Iterable[AccountFacts]) -> None:
        self.accounts = tuple(accounts)
        self._lock = threading.Lock()
        self._drawn: tuple[str | None, Landscape] | None = None

    def landscape(self, session: Session) -> Landscape:
        picture = passes.picture(session)
        with self._lock:
            if self._drawn is None or self._drawn[0] != picture:
                drawn = draw(self.accounts, passes.complete(session), passes.outages(session))
                self._drawn = (picture, drawn)
            return self._drawn[1]


def draw(
    accounts: Sequence[AccountFacts],
    complete: Mapping[Reading, Completeness],
    outages: Mapping[Reading, Outage],
) -> Landscape:
    adopted = [replace(each, adopted=_adopted(each, complete, outages)) for each in accounts]
    estates = {mode: _estate(adopted, mode, complete, outages) for mode in (True, False)}
    lands = {each.slug: _land(each, estates[each.livemode], complete, outages) for each in adopted}
    return Landscape(lands, {each.stripe_account: each.slug for each in adopted})


def reading_of(account: AccountFacts, source: Source) -> Reading | None:
    """Under which name passes over a source are written; None where the account has no such source."""
    match source:
        case Source.CRM:
            crm = account.crm
            return Reading(account.slug, passes.crm(crm.source), passes.RECORDS) if crm else None
        case Source.ENTITLEMENTS:
            gives = account.entitlements
            name = passes.entitlements(gives.source) if gives else ""
            return Reading(account.slug, name, passes.ENTITLEMENTS) if gives else None
        case Source.COUPONS:
            return Reading(account.slug, passes.STRIPE, source.value)
        case _:
            return Reading(account.slug, passes.STRIPE, source.value)


def key_reading(account: str) -> Reading:
    """Under which name it is written that the account's key cannot be used."""
    return Reading(account, passes.STRIPE, "key")


def sources_of(account: AccountFacts) -> tuple[Source, ...]:
    """What this account has: Stripe's classes, and whichever other systems are configured."""
    return (
        *OF_STRIPE,
        *((Source.CRM,) if account.crm else ()),
        *((Source.ENTITLEMENTS,) if account.entitlements else ()),
    )


def is_read(type: str) -> bool:
    """Whether objects of this type of Stripe's are kept as snapshots."""
    return type in SOURCE_OF_TYPE and type in BY_TYPE


def _adopted(
    account: AccountFacts, complete: Mapping[Reading, Completeness], outages: Mapping[Reading, Outage]
) -> datetime | None:
    """When the first pass over all that the key may read had ended."""
    ends = []
    for source in OF_STRIPE:
        reading = reading_of(account, source)
        assert reading is not None
        known, outage = complete.get(reading), outages.get(reading)
        if known is not None:
            ends.append(known.first_ended_at)
        elif outage is None or outage.reason != NO_PERMISSION:
            return None
    return max(ends, default=None)


def _estate(
    accounts: Sequence[AccountFacts],
    livemode: bool,
    complete: Mapping[Reading, Completeness],
    outages: Mapping[Reading, Outage],
) -> Estate:
    members = tuple(each for each in accounts if each.livemode == livemode)
    whole = frozenset(
        source
        for source in Source
        if all(
            reading in complete and reading not in outages
            for reading in (reading_of(each, source) for each in members)
            if reading is not None
        )
    )
    return Estate(members, whole)


def _land(
    account: AccountFacts,
    estate: Estate,
    complete: Mapping[Reading, Completeness],
    outages: Mapping[Reading, Outage],
) -> Land:
    never_read: set[Source] = set()
    failing: dict[Source, Outage] = {}
    passed_at: dict[Source, datetime] = {}
    for source in (*sources_of(account), Source.COUPONS):
        reading = reading_of(account, source)
        assert reading is not None
        if reading in outages:
            failing[source] = outages[reading]
        if source is Source.COUPONS:
            continue
        if reading in complete:
            passed_at[source] = complete[reading].last_began_at
        else:
            never_read.add(source)
    key = key_reading(account.slug)
    troubles = {key.class_name: outages[key]} if key in outages else {}
    return Land(account, estate, frozenset(never_read), failing, passed_at, troubles)
