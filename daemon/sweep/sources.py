"""A CRM and a product, seen as the same: pages of rows with keys, kept and buried in tables of their own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Table
from sqlmodel import Session

from accounts.crm import Crm
from accounts.entitlements import Entitlements
from accounts.facts import Subject
from accounts.sources import Page
from daemon.core.model import AccountFacts, System
from daemon.observe import keeping
from daemon.observe.landscape import Landscape
from daemon.store import passes
from daemon.store.passes import Reading
from daemon.store.records import ENTITLEMENTS, RECORDS


class Sources(Protocol):
    """Where the connectors are, by name."""

    def crm(self, name: str) -> Crm: ...

    def entitlements(self, name: str) -> Entitlements: ...


@dataclass(frozen=True, slots=True)
class Connected:
    """One source."""

    key: str  # crm:NAME or entitlements:NAME
    name: str
    class_name: str
    of: Table
    connector: Crm | Entitlements
    one: Callable[[str, str], Any]
    _keep: Callable[..., set[Subject]]
    _bury: Callable[..., set[Subject]]

    @property
    def system(self) -> System:
        return System.CRM if self.class_name == passes.RECORDS else System.ENTITLEMENT

    @property
    def per_account(self) -> bool:
        return self.connector.per_account

    @property
    def reads_one(self) -> bool:
        return self.connector.reads_one

    def reading(self, account: str) -> Reading:
        return Reading(account, self.key, self.class_name)

    def pages(self, stripe_account: str, afresh: bool) -> Iterator[Page[Any]]:
        return self.connector.pages(stripe_account, afresh=afresh)

    def keep(
        self,
        session: Session,
        landscape: Landscape,
        rows: Sequence[Any],
        seen: int,
        observed_at: datetime,
        first_pass: bool,
    ) -> set[Subject]:
        return self._keep(
            session, landscape, self.name, rows, seen=seen, observed_at=observed_at, first_pass=first_pass
        )

    def bury(
        self, session: Session, landscape: Landscape, key: str, seen: int, observed_at: datetime
    ) -> set[Subject]:
        return self._bury(session, landscape, self.name, key, seen=seen, observed_at=observed_at)


def connected(key: str, sources: Sources) -> Connected:
    """The source that a wake names."""
    kind, _, name = key.partition(":")
    if kind == "crm":
        crm = sources.crm(name)
        return Connected(
            passes.crm(name), name, passes.RECORDS, RECORDS, crm, crm.record, keeping.keep_records, keeping.bury_record
        )  # fmt: skip
    product = sources.entitlements(name)
    return Connected(
        passes.entitlements(name), name, passes.ENTITLEMENTS, ENTITLEMENTS, product, product.entitlement,
        keeping.keep_entitlements, keeping.bury_entitlement,
    )  # fmt: skip


def users_of(landscape: Landscape, key: str) -> Sequence[AccountFacts]:
    """The accounts that a source serves."""
    kind, _, name = key.partition(":")
    return landscape.users_of_crm(name) if kind == "crm" else landscape.users_of_entitlements(name)
