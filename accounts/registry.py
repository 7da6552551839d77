"""The accounts and platforms we work for, and the keys that open them.

A key is named by reference, is always restricted (`rk_`), and says by its prefix whether it is live. Whose key
it is cannot be seen from outside; `accounts.stripe.identity` proves that before anything is done with it.
"""

from dataclasses import dataclass
from typing import Literal, NewType, Self

from pydantic import Field, StrictBool, model_validator

from accounts.configuration import (
    Duration,
    SafeUrl,
    SecretRef,
    SecretUnreadable,
    Section,
    SettleDuration,
    Slug,
    StripeAccountId,
)
from accounts.secret import Secret

Mode = Literal["observe", "propose", "act"]
KeyRole = Literal["read_key", "act_key"]
KeyOwner = NewType("KeyOwner", str)  # the acct_… whose read allocation a key draws on


class KeyRefused(Exception):
    """A key that may not be used. The message says why, and never holds the key."""


class Pace(Section):
    """How often and how eagerly an account is read; [defaults] and every account have one."""

    poll: Duration
    sweep: Duration
    records: Duration
    settle: SettleDuration
    mode: Mode
    read_share: float = Field(gt=0, le=1)


class Account(Pace):
    """One `[[accounts]]` table, with what it inherits from [defaults] filled in."""

    id: Slug
    stripe_account: StripeAccountId
    livemode: StrictBool
    read_key: SecretRef | None = None
    act_key: SecretRef | None = None
    platform: Slug | None = None
    webhook_secrets: tuple[SecretRef, ...] = ()
    crm: Slug | None = None
    entitlements: Slug | None = None
    policy: Slug = "default"
    stripe_api: SafeUrl

    @model_validator(mode="after")
    def _keys_or_platform(self) -> Self:
        if self.platform is not None and (self.read_key or self.act_key):
            raise ValueError("an account has keys of its own or a platform, not both")
        if self.platform is None and self.read_key is None:
            raise ValueError("read_key is missing (or name the platform whose key opens this account)")
        return self


class Platform(Section):
    """One `[[platforms]]` table: a Connect platform whose key opens accounts that have none of their own."""

    id: Slug
    stripe_account: StripeAccountId
    livemode: StrictBool
    read_key: SecretRef
    act_key: SecretRef | None = None
    webhook_secrets: tuple[SecretRef, ...] = ()
    stripe_api: SafeUrl


@dataclass(frozen=True, slots=True)
class Key:
    """A restricted key that was read, and whose prefix fits. Not yet proven to be this account's."""

    secret: Secret
    livemode: bool
    owner: KeyOwner
    on_behalf_of: str | None = None  # sent as Stripe-Account where a platform's key opens the account


def admit(secret: Secret, livemode: bool) -> None:
    """Raises KeyRefused for every key that is not a restricted key of this mode."""
    value = secret.reveal()
    if value.startswith("sk_"):
        raise KeyRefused("it is a secret key (sk_), which may do everything; create a restricted key (rk_)")
    if value.startswith("pk_"):
        raise KeyRefused("it is a publishable key (pk_), which opens nothing; create a restricted key (rk_)")
    if not value.startswith(("rk_live_", "rk_test_")):
        raise KeyRefused("it is not a restricted Stripe key; those begin with rk_live_ or rk_test_")
    if value.startswith("rk_live_") != livemode:
        mode = "live" if livemode else "test"
        raise KeyRefused(
            f"it is a {'test' if livemode else 'live'} key, and livemode says this account is {mode}"
        )


class Registry:
    """Which accounts there are, and the one place that reads their keys. A reload makes a new one."""

    def __init__(self, accounts: tuple[Account, ...], platforms: tuple[Platform, ...]) -> None:
        self.accounts = {account.id: account for account in accounts}
        self.platforms = {platform.id: platform for platform in platforms}

    def platform_of(self, account: Account) -> Platform | None:
        return self.platforms[account.platform] if account.platform else None

    def key(self, account: Account, role: KeyRole = "read_key") -> Key | None:
        """The account's key for reading or acting, None where none is configured.

        Raises SecretUnreadable or KeyRefused with a sentence.
        """
        platform = self.platform_of(account)
        holder: Account | Platform = platform or account
        reference: SecretRef | None = getattr(holder, role)
        if reference is None:
            return None
        secret = reference.read()
        admit(secret, holder.livemode)
        return Key(
            secret=secret,
            livemode=holder.livemode,
            owner=KeyOwner(holder.stripe_account),
            on_behalf_of=account.stripe_account if platform else None,
        )


def read_secrets(references: tuple[SecretRef, ...]) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
    """The secrets that could be read, and a sentence for each that could not; none hides another."""
    secrets, problems = [], []
    for reference in references:
        try:
            secrets.append(reference.read())
        except SecretUnreadable as problem:
            problems.append(str(problem))
    return tuple(secrets), tuple(problems)
