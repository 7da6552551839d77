"""What `reconciled check` found: sentences that say what to do, and the same for programs."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["problem", "warning", "note"]
KeyState = Literal[
    "proven", "unproven", "wrong account", "unauthorized", "unreachable", "unreadable", "refused"
]


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    where: str  # as in the configuration: accounts.acme-eu.read_key, crm.hubspot, daemon.database
    sentence: str


@dataclass(frozen=True, slots=True)
class Missing:
    """One resource that the key may not read, and what is lost without it."""

    resource: str
    permissions: tuple[str, ...]  # any one of them will do
    without: str


@dataclass(frozen=True, slots=True)
class WebhookReport:
    url: str | None  # where Stripe should deliver; None without public_url
    command: str | None  # the one line that creates the endpoint
    events: tuple[str, ...]
    state: Literal["enabled", "incomplete", "disabled", "absent", "unseen"] = "unseen"


@dataclass(frozen=True, slots=True)
class AccountReport:
    id: str
    stripe_account: str
    livemode: bool
    mode: str
    read_permissions: tuple[str, ...]  # the fewest that do
    act_permissions: tuple[str, ...]
    read_key_link: str
    act_key_link: str
    webhook: WebhookReport
    key: KeyState = "unreachable"
    proven_by: str | None = None
    missing: tuple[Missing, ...] = ()
    reads_used: int | None = None
    reads_allowed: int | None = None


@dataclass(slots=True)
class Report:
    accounts: list[AccountReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.of("problem")

    def of(self, level: Level) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == level]
