"""A report as lines for a terminal: each account with what it needs, then everything that is wrong."""

from collections.abc import Iterator

from daemon.check.report import AccountReport, Level, Report

HEADINGS: tuple[tuple[Level, str], ...] = (
    ("problem", "Problems"),
    ("warning", "Warnings"),
    ("note", "Notes"),
)


def lines(report: Report) -> Iterator[str]:
    for account in report.accounts:
        yield from _account(account)
        yield ""
    for level, heading in HEADINGS:
        found = report.of(level)
        if found:
            yield f"{heading}:"
            yield from (f"  {finding.where}: {finding.sentence}" for finding in found)
            yield ""
    yield _summary(report)


def _account(account: AccountReport) -> Iterator[str]:
    mode = "live" if account.livemode else "test"
    proven = f"key {account.key}" + (f" by {account.proven_by}" if account.proven_by else "")
    yield f"{account.id} · {account.stripe_account} · {mode} · mode {account.mode} · {proven}"
    yield f"  the read key needs exactly: {' '.join(account.read_permissions)}"
    yield f"  create it here: {account.read_key_link}"
    if account.mode == "act":
        yield f"  the act key needs exactly: {' '.join(account.act_permissions)}"
        yield f"  create it here: {account.act_key_link}"
    if account.webhook.command is not None:
        yield f"  its webhook endpoint ({account.webhook.state}) is made by: {account.webhook.command}"


def _summary(report: Report) -> str:
    problems, warnings = len(report.of("problem")), len(report.of("warning"))
    if problems == warnings == 0:
        return "All is well."
    return f"{problems} problem{'s' * (problems != 1)}, {warnings} warning{'s' * (warnings != 1)}."
