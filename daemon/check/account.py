"""One account: its keys, whose they are, what they may read, its webhook endpoint, and Stripe's clock beside ours."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from accounts.budget import MemoryLedger, Purpose
from accounts.configuration import SecretUnreadable
from accounts.errors import Forbidden, ObservationError, Unauthorized, Unproven, WrongAccount
from accounts.registry import Account, Key, KeyRefused, KeyRole, read_secrets
from accounts.stripe.connection import open_client
from accounts.stripe.decoding import Decoding
from accounts.stripe.identity import prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader
from accounts.stripe.resources import (
    OPTIONAL,
    RESOURCES,
    Resource,
    act_permissions,
    key_link,
    read_permissions,
)
from daemon.check.report import AccountReport, Finding, KeyState, Missing
from daemon.check.webhooks import check_endpoint, wanted_endpoint
from daemon.settings import Settings
from daemon.wiring import Outside

CLOCK_SKEW_S_MAX = 60  # webhooks are refused from 300 s on; a fifth of that is time to mend it

STATES: tuple[tuple[type[Exception], KeyState], ...] = (
    (SecretUnreadable, "unreadable"),
    (KeyRefused, "refused"),
    (WrongAccount, "wrong account"),
    (Unproven, "unproven"),
    (Unauthorized, "unauthorized"),
    (ObservationError, "unreachable"),
)


def check_account(
    settings: Settings, account: Account, now: Callable[[], datetime]
) -> tuple[AccountReport, list[Finding]]:
    checking = _Checking(settings, account, now)
    findings = list(checking.findings())
    return checking.report, findings


class _Checking:
    def __init__(self, settings: Settings, account: Account, now: Callable[[], datetime]) -> None:
        self.settings = settings
        self.account = account
        self.now = now
        # Nothing is kept of what is read here, so the key that hashes personal detail may be any.
        self.outside = Outside(Decoding(b"check"), MemoryLedger(), now)
        self.skew_s = 0.0
        read, act = read_permissions(optional=True), act_permissions()
        self.report = AccountReport(
            id=account.id,
            stripe_account=account.stripe_account,
            livemode=account.livemode,
            mode=account.mode,
            read_permissions=read,
            act_permissions=act,
            read_key_link=key_link(read, f"reconciled {account.id} read"),
            act_key_link=key_link(act, f"reconciled {account.id} act"),
            webhook=wanted_endpoint(settings, account),
        )

    def findings(self) -> Iterator[Finding]:
        with open_client() as http:
            http.event_hooks = {"response": [self._compare_clocks]}
            yield from self._read_key(http)
            yield from self._act_key(http)
        yield from self._webhook_secrets()
        if abs(self.skew_s) > CLOCK_SKEW_S_MAX:
            yield self._finding(
                "problem",
                "",
                f"This machine's clock is {abs(self.skew_s):.0f} s {'behind' if self.skew_s > 0 else 'ahead of'} "
                "Stripe's. Set it by NTP: webhooks are refused from 300 s on, and deadlines are computed with it.",
            )

    def _read_key(self, http: httpx.Client) -> Iterator[Finding]:
        try:
            key = self._key("read_key")
            assert key is not None, "an account without a read key is refused with the configuration"
            budget = self.outside.budget(key.owner)
            connection = self.outside.connection(self.account, key, budget, http)
            proven = prove(connection, self.account.stripe_account)
        except (SecretUnreadable, KeyRefused, ObservationError) as problem:
            self.report = replace(self.report, key=_state(problem))
            yield self._key_problem("read_key", problem)
            return
        self.report = replace(self.report, key="proven", proven_by=proven.by)
        reader = Reader(connection, proven, Permissions(self.account.id), self.outside.decoding)
        yield from self._resources(reader)
        endpoint, findings = check_endpoint(self.report.webhook, self.account, reader)
        self.report = replace(
            self.report, webhook=endpoint, reads_used=budget.used, reads_allowed=budget.allowed
        )
        yield from findings

    def _resources(self, reader: Reader) -> Iterator[Finding]:
        missing = []
        for resource in RESOURCES:
            try:
                _try(reader, resource)
            except Forbidden as forbidden:
                lacking = Missing(
                    resource.name, forbidden.permissions or resource.permissions, resource.without
                )
                missing.append(lacking)
                yield self._finding(
                    "warning" if resource.name in OPTIONAL else "problem",
                    "read_key",
                    f"It may not read {resource.name}: add {' or '.join(lacking.permissions) or 'the permission'}. "
                    f"Until then: {resource.without}",
                )
            except ObservationError as problem:
                sentence = self._without_account(problem)
                yield self._finding("problem", "read_key", f"{resource.name} could not be read: {sentence}")
        self.report = replace(self.report, missing=tuple(missing))

    def _act_key(self, http: httpx.Client) -> Iterator[Finding]:
        try:
            key = self._key("act_key")
            if key is None:
                if self.account.mode == "act":
                    yield self._finding(
                        "warning",
                        "act_key",
                        "There is none, so mode “act” works as “propose”: people decide, nothing is executed. "
                        f"Create one: {self.report.act_key_link}",
                    )
                return
            connection = self.outside.connection(self.account, key, self.outside.budget(key.owner), http)
            prove(connection, self.account.stripe_account)
        except (SecretUnreadable, KeyRefused, ObservationError) as problem:
            yield self._key_problem("act_key", problem)
            return
        try:
            same = key == self._key("read_key")
        except (SecretUnreadable, KeyRefused):
            return
        if same:
            yield self._finding(
                "warning",
                "act_key",
                "It is the read key. Two keys are safer: whoever gets hold of the one that reads cannot move money.",
            )

    def _webhook_secrets(self) -> Iterator[Finding]:
        for problem in read_secrets(self.account.webhook_secrets)[1]:
            yield self._finding(
                "problem",
                "webhook_secrets",
                f"One cannot be used: {problem}. Webhooks signed with it are refused.",
            )

    def _key(self, role: KeyRole) -> Key | None:
        return self.settings.registry().key(self.account, role)

    def _key_problem(self, role: KeyRole, problem: Exception) -> Finding:
        sentence = self._without_account(problem)
        link = self.report.read_key_link if role == "read_key" else self.report.act_key_link
        hint = (
            f" Create a key with the right permissions: {link}"
            if isinstance(problem, KeyRefused | Unauthorized)
            else ""
        )
        return self._finding("problem", role, f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}.{hint}")

    def _finding(self, level: Literal["problem", "warning", "note"], field: str, sentence: str) -> Finding:
        where = f"accounts.{self.account.id}"
        return Finding(level, f"{where}.{field}" if field else where, sentence)

    def _without_account(self, problem: Exception) -> str:
        return str(problem).removeprefix(f"Account {self.account.id}: ")

    def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers["date"])
        except (KeyError, ValueError):
            return
        self.skew_s = (theirs - self.now()).total_seconds()


def _state(problem: Exception) -> KeyState:
    return next(state for kind, state in STATES if isinstance(problem, kind))


def _try(reader: Reader, resource: Resource) -> None:
    """One read, of as little as possible, that shows whether the key may."""
    if not resource.listed:
        reader.the(resource, purpose=Purpose.LOOK)
    elif resource.required is None:
        reader.page(resource, purpose=Purpose.LOOK, limit=1)
