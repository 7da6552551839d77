"""Accounts and platforms as the configuration would give them, with webhook secrets in the environment."""

from datetime import timedelta

from accounts.configuration import SecretRef
from accounts.registry import Account, Platform

API = "https://api.stripe.com"


def account(
    slug: str,
    *secrets: str,
    stripe_account: str | None = None,
    livemode: bool = True,
    platform: str | None = None,
) -> Account:
    """An account whose webhook secrets are in these environment variables."""
    return Account(
        id=slug,
        stripe_account=stripe_account or f"acct_{slug}",
        livemode=livemode,
        read_key=None if platform else SecretRef(env="NOT_READ_HERE"),
        platform=platform,
        webhook_secrets=tuple(SecretRef(env=name) for name in secrets),
        stripe_api=API,
        poll=timedelta(minutes=1),
        sweep=timedelta(hours=6),
        records=timedelta(minutes=15),
        settle=timedelta(minutes=10),
        mode="observe",
        read_share=0.2,
    )


def platform(slug: str, *secrets: str, livemode: bool = True) -> Platform:
    return Platform(
        id=slug,
        stripe_account=f"acct_{slug}",
        livemode=livemode,
        read_key=SecretRef(env="NOT_READ_HERE"),
        webhook_secrets=tuple(SecretRef(env=name) for name in secrets),
        stripe_api=API,
    )
