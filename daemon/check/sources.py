"""Whether the CRM and the product answer, and in the shape that the configuration expects."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from accounts.crm import Crm, open_crm
from accounts.entitlements import Entitlements, open_entitlements
from accounts.errors import ObservationError
from accounts.registry import Account
from daemon.check.report import Finding
from daemon.settings import Settings

Opening = Callable[[], Crm | Entitlements]


def check_sources(settings: Settings, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Reads the first page of every source for every account that names it."""
    for name, crm in settings.crm.items():
        users = [account for account in settings.accounts if account.crm == name]
        yield from _source(f"crm.{name}", users, partial(open_crm, name, crm, now=now))
    for name, product in settings.entitlements.items():
        users = [account for account in settings.accounts if account.entitlements == name]
        yield from _source(f"entitlements.{name}", users, partial(open_entitlements, name, product, now=now))


def _source(where: str, users: list[Account], opening: Opening) -> Iterator[Finding]:
    if not users:
        yield Finding("warning", where, "No account uses it.")
        return
    source = opening()
    try:
        for account in users if source.per_account else users[:1]:
            try:
                next(iter(source.pages(account.stripe_account)), None)
            except ObservationError as problem:
                yield Finding("problem", where, f"For account {account.id}: {problem}")
    finally:
        source.close()
