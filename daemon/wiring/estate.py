"""From the settings to what judgement knows of the accounts."""

import re
from zoneinfo import ZoneInfo

from accounts.registry import Account
from daemon.core.model import AccessWords, AccountFacts, CrmWords, PlanNames
from daemon.settings import Settings


def accounts_of(settings: Settings) -> tuple[AccountFacts, ...]:
    """Every configured account, as the core knows it."""
    plans = PlanNames(
        by=settings.plans.from_,
        pattern=re.compile(settings.plans.pattern) if settings.plans.pattern is not None else None,
        map=settings.plans.map,
    )
    timezone = ZoneInfo(settings.daemon.timezone)
    return tuple(_account(settings, account, plans, timezone) for account in settings.accounts)


def _account(settings: Settings, account: Account, plans: PlanNames, timezone: ZoneInfo) -> AccountFacts:
    crm, gives = account.crm, account.entitlements
    return AccountFacts(
        slug=account.id,
        stripe_account=account.stripe_account,
        livemode=account.livemode,
        mode=account.mode,
        timezone=timezone,
        settle=account.settle,
        plans=plans,
        crm=CrmWords(
            crm,
            settings.crm[crm].churned_states,
            settings.crm[crm].active_states,
            mixed=len({each.livemode for each in settings.accounts if each.crm == crm}) > 1,
        )
        if crm
        else None,
        entitlements=AccessWords(
            gives,
            settings.entitlements[gives].access_states,
            mixed=len({each.livemode for each in settings.accounts if each.entitlements == gives}) > 1,
        )
        if gives
        else None,
    )
