"""The webhook endpoint in Stripe: where it should deliver what, and whether it does."""

import shlex
from dataclasses import replace
from typing import Literal

from accounts.budget import Purpose
from accounts.errors import Forbidden, ObservationError
from accounts.registry import Account
from accounts.stripe.connection import API_VERSION
from accounts.stripe.reads import Reader
from accounts.stripe.resources import BY_NAME, EVENTS
from accounts.stripe.shapes import WebhookEndpoint
from daemon.check.report import Finding, WebhookReport
from daemon.settings import Settings

EVENT_NAMES = tuple(sorted(event.name for event in EVENTS))


def wanted_endpoint(settings: Settings, account: Account) -> WebhookReport:
    """Where Stripe should deliver this account's events, and the one line that makes it."""
    base = settings.daemon.public_url
    if base is None:
        return WebhookReport(None, None, EVENT_NAMES)
    url = f"{base.rstrip('/')}/webhooks/stripe/{account.platform or account.id}"
    words = ["stripe", "webhook_endpoints", "create", f"--url={url}", f"--api-version={API_VERSION}"]
    for number, name in enumerate(EVENT_NAMES):
        words += ["-d", f"enabled_events[{number}]={name}"]
    words += ["--connect=true"] if account.platform else []
    words += ["--live"] if account.livemode else []
    return WebhookReport(url, shlex.join(words), EVENT_NAMES)


def check_endpoint(
    wanted: WebhookReport, account: Account, reader: Reader
) -> tuple[WebhookReport, list[Finding]]:
    """Compares what Stripe has with what it should have. A Connect platform's endpoint is its own account's."""
    if wanted.url is None or account.platform is not None:
        return wanted, []
    try:
        found = [
            endpoint
            for page in reader.pages(BY_NAME["webhook_endpoints"], purpose=Purpose.LOOK)
            for endpoint in page.items
            if endpoint.url.rstrip("/") == wanted.url
        ]
    except Forbidden:
        return wanted, []  # the permission's own finding says so
    except ObservationError as problem:
        return wanted, [_finding(account, "problem", f"The endpoints could not be read: {problem}")]
    return _compared(wanted, account, found)


def _compared(
    wanted: WebhookReport, account: Account, found: list[WebhookEndpoint]
) -> tuple[WebhookReport, list[Finding]]:
    if not found:
        return replace(wanted, state="absent"), [
            _finding(
                account,
                "warning",
                f"Stripe has no endpoint for {wanted.url}; until it has, events are polled. The command that creates "
                "it stands above.",
            )
        ]
    endpoint = max(found, key=lambda each: (each.status == "enabled", each.created))
    if endpoint.status != "enabled":
        sentence = (
            f"Stripe has disabled the endpoint {endpoint.id} after failures; enable it in the dashboard."
        )
        return replace(wanted, state="disabled"), [_finding(account, "problem", sentence)]
    findings = []
    delivered = set(endpoint.enabled_events)
    lacking = sorted(set() if "*" in delivered else set(wanted.events) - delivered)
    if lacking:
        sentence = (
            f"The endpoint {endpoint.id} does not deliver {', '.join(lacking)}; add these events to it."
        )
        findings.append(_finding(account, "problem", sentence))
    if not account.webhook_secrets:
        sentence = (
            f"The endpoint {endpoint.id} delivers, and no secret is configured to verify what it brings."
        )
        findings.append(_finding(account, "problem", sentence))
    return replace(wanted, state="incomplete" if lacking else "enabled"), findings


def _finding(account: Account, level: Literal["problem", "warning"], sentence: str) -> Finding:
    return Finding(level, f"accounts.{account.id}.webhook_secrets", sentence)
