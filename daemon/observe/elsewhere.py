"""Whom we may ask, and how one customer's rows in the CRM and the product are read again."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from sqlmodel import Session

from accounts.crm import Crm
from accounts.entitlements import Entitlements
from accounts.errors import ObservationError
from accounts.facts import Subject
from accounts.stripe.reads import Reader
from daemon.core.model import SYSTEM_OF, Facts, Source
from daemon.observe import keeping
from daemon.observe.asking import reason_of
from daemon.observe.failures import count_failure
from daemon.observe.landscape import Land, Landscape, reading_of
from daemon.store import passes


class Systems(Protocol):
    """Whom we may ask. A reader is of a proven key; where there is none, why is raised."""

    def reader(self, account: str) -> Reader: ...

    def doubt(self, account: str, problem: ObservationError) -> None:
        """The key that was good is no more."""

    def crm(self, name: str) -> Crm: ...

    def entitlements(self, name: str) -> Entitlements: ...


class Elsewhere:
    """One subject's rows in the CRM and the product, read again one by one."""

    def __init__(self, systems: Systems, land: Land, facts: Facts, crm: bool, entitlements: bool) -> None:
        self.facts = facts
        self.unreadable: set[Source] = set()
        self._systems = systems
        self._land = land
        self._crm = crm
        self._entitlements = entitlements
        self._records: list[tuple[str, str, Any]] = []
        self._given: list[tuple[str, Any]] = []
        self._problems: dict[Source, ObservationError] = {}
        self._read: set[Source] = set()

    def read(self) -> None:
        if self._crm:
            self._try(Source.CRM, self._read_records)
        if self._entitlements:
            self._try(Source.ENTITLEMENTS, self._read_entitlements)

    def keep(self, session: Session, landscape: Landscape, seen: int, observed_at: datetime) -> set[Subject]:
        concerned: set[Subject] = set()
        for source, key, record in self._records:
            concerned |= (
                keeping.bury_record(session, landscape, source, key, seen=seen, observed_at=observed_at)
                if record is None
                else keeping.keep_records(
                    session, landscape, source, [record], seen=seen, observed_at=observed_at
                )
            )
        gives = self._land.facts.entitlements
        for key, given in self._given:
            assert gives is not None
            concerned |= (
                keeping.bury_entitlement(
                    session, landscape, gives.source, key, seen=seen, observed_at=observed_at
                )
                if given is None
                else keeping.keep_entitlements(
                    session, landscape, gives.source, [given], seen=seen, observed_at=observed_at
                )
            )
        return concerned

    def note(self, session: Session, now: datetime) -> None:
        for source, problem in self._problems.items():
            reading, reason = reading_of(self._land.facts, source), reason_of(problem)
            if reading is not None and reason is not None:
                passes.fail(session, reading, reason, str(problem), now)

    def _try(self, source: Source, read: Callable[[], bool]) -> None:
        try:
            complete = read()
        except ObservationError as problem:
            count_failure(SYSTEM_OF[source], problem)
            self._problems[source] = problem
            complete = False
        if not complete:
            self.unreadable.add(source)

    def _read_records(self) -> bool:
        """Whether every record of the subject was read; where it has none, only a pass can tell that."""
        for filed in self.facts.records:
            crm = self._systems.crm(filed.source)
            if not crm.reads_one:
                return False
            account = filed.record.stripe_account or self._land.facts.stripe_account
            self._records.append((filed.source, filed.record.key, crm.record(filed.record.key, account)))
        return bool(self.facts.records)

    def _read_entitlements(self) -> bool:
        gives = self._land.facts.entitlements
        if gives is None:
            return True
        store = self._systems.entitlements(gives.source)
        for each in self.facts.entitlements:
            if not store.reads_one:
                return False
            self._given.append((each.key, store.entitlement(each.key, self._land.facts.stripe_account)))
        return bool(self.facts.entitlements)
