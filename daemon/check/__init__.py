"""`reconciled check`: everything that is missing, all at once, each as a sentence that says what to do.

It reads and changes nothing: not the database, not Stripe, not the CRM. Write permissions are named and not
tried, since trying one is a write.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from daemon.check.account import check_account
from daemon.check.installation import check_installation
from daemon.check.report import Report
from daemon.check.sources import check_sources
from daemon.settings import Settings

ACCOUNTS_AT_ONCE = 8  # each waits for Stripe most of the time


def check(settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Report:
    report = Report()
    report.findings += check_installation(settings)
    with ThreadPoolExecutor(ACCOUNTS_AT_ONCE) as pool:
        for account, findings in pool.map(lambda each: check_account(settings, each, now), settings.accounts):
            report.accounts.append(account)
            report.findings += findings
    report.findings += check_sources(settings, now)
    return report
