"""Is everything read: accounts, their keys and budgets, Stripe itself, the CRM and the product."""

from typing import Final

from grafana.generate.alert import Alert, Series, Story
from grafana.generate.places import ACCOUNTS, INTERNALS, OVERVIEW
from metrics.thresholds import (
    BUDGET_HIGH,
    BUDGET_SPENT,
    DAY,
    ENRICHMENT_FAILURES,
    FAILED_SHARE,
    RATE_LIMITED_SHARE,
    STALE_INTERVALS,
    STALE_SHARE,
    WATERMARK_LAST_S,
    WATERMARK_OLD_S,
)

EU: Final = (("account", "acme-eu"),)
OF_EU: Final = '{account="acme-eu"}'


def share_of_requests(outcome: str) -> str:
    """Of the requests to Stripe of a quarter of an hour; of fewer than one in ten seconds nothing is said."""
    every = 'sum by (job) (rate(reconciled_stripe_requests_total{job="reconciled"}[15m]))'
    some = (
        f'sum by (job) (rate(reconciled_stripe_requests_total{{job="reconciled",outcome=~"{outcome}"}}[15m]))'
    )
    return f"{some} / ({every} > 0.1)"


ALERTS: Final = (
    Alert(
        name="ReconciledAccountStale",
        expr="time() - job_account:reconciled_reconcile_last_success_timestamp_seconds:max1h "
        f"> on (job, account) {STALE_INTERVALS} * job_account:reconciled_reconcile_interval_seconds:max1h",
        hold="5m",
        keep="10m",
        severity="warning",
        component="sweep",
        summary="Account {{ $labels.account }} has not been read whole for two intervals.",
        description="What no event tells is not noticed there. Its key, permissions, limits or read budget stop it.",
        board=ACCOUNTS,
        panel="Accounts",
        story=Story(
            [
                Series(
                    f"reconciled_reconcile_last_success_timestamp_seconds{OF_EU}",
                    "0x120",
                    "0+60x120",
                    "6900+60x90",
                ),
                Series(f"reconciled_reconcile_interval_seconds{OF_EU}", "1800x120", "1800x120"),
            ],
            labels=EU,
        ),
    ),
    Alert(
        name="ReconciledFleetStale",
        expr='sum by (job) (job_state:reconciled_accounts:max1h{state=~"stale|unread"}) '
        f"> {STALE_SHARE} * sum by (job) (job_state:reconciled_accounts:max1h)",
        hold="10m",
        severity="critical",
        component="sweep",
        summary="More than one account in ten is stale or cannot be read.",
        description="That is not one account's key: look at Stripe's status, the network, the database and the limits.",
        board=OVERVIEW,
        panel="Accounts by state",
        story=Story(
            [
                Series('reconciled_accounts{state="ok"}', "8x120", "9x120", "10"),
                Series('reconciled_accounts{state="stale"}', "1x120", "1x120", "0"),
                Series('reconciled_accounts{state="unread"}', "1x120", "0x120", "0"),
            ]
        ),
    ),
    Alert(
        name="ReconciledWatermarkOld",
        expr=f"time() - job_account:reconciled_event_watermark_timestamp_seconds:max1h > {WATERMARK_OLD_S}",
        hold="15m",
        severity="warning",
        component="poll",
        summary="Events of account {{ $labels.account }} are not known to be complete for two days.",
        description="Stripe repeats webhooks for three days; what was missed before then only polling can bring.",
        board=ACCOUNTS,
        panel="Accounts",
        story=Story(
            [
                Series(
                    f"reconciled_event_watermark_timestamp_seconds{OF_EU}",
                    f"{-2 * DAY - 3600}x120",
                    f"{-2 * DAY + 7300}x120",
                    "6900+60x90",
                )
            ],
            labels=EU,
        ),
    ),
    Alert(
        name="ReconciledWatermarkNearHorizon",
        expr=f"time() - job_account:reconciled_event_watermark_timestamp_seconds:max1h > {WATERMARK_LAST_S}",
        hold="15m",
        severity="critical",
        component="poll",
        summary="Events of account {{ $labels.account }} will soon be beyond what Stripe keeps.",
        description="After 30 days they cannot be listed any more; only a full sweep will tell what they were about.",
        board=ACCOUNTS,
        panel="Accounts",
        story=Story(
            [
                Series(
                    f"reconciled_event_watermark_timestamp_seconds{OF_EU}",
                    f"{-20 * DAY - 3600}x120",
                    f"{-20 * DAY + 7300}x120",
                    "6900+60x90",
                )
            ],
            labels=EU,
        ),
    ),
    Alert(
        name="ReconciledAccountKeyUnusable",
        expr="job_account:reconciled_account_key_usable:max1h == 0",
        hold="10m",
        severity="critical",
        component="keys",
        summary="The read key of account {{ $labels.account }} does not work.",
        description="Nothing of this account is read: its cases stand still, and its deadlines are as last known.",
        board=ACCOUNTS,
        panel="Accounts",
        story=Story([Series(f"reconciled_account_key_usable{OF_EU}", "0x120", "1x120", "1")], labels=EU),
    ),
    Alert(
        name="ReconciledReadBudgetHigh",
        expr=f"job_account:reconciled_stripe_read_budget_used_ratio:max1h > {BUDGET_HIGH}",
        hold="15m",
        severity="warning",
        component="budget",
        summary="Account {{ $labels.account }} has used four fifths of what Stripe lets it read in 30 days.",
        description="Polls and sweeps come more rarely by now. Webhooks need no reads: keep them healthy.",
        board=ACCOUNTS,
        panel="Accounts",
        story=Story(
            [Series(f"reconciled_stripe_read_budget_used_ratio{OF_EU}", "0.81x120", "0.8x120", "0.7")],
            labels=EU,
        ),
    ),
    Alert(
        name="ReconciledReadBudgetSpent",
        expr=f"job_account:reconciled_stripe_read_budget_used_ratio:max1h > {BUDGET_SPENT}",
        hold="15m",
        severity="critical",
        component="budget",
        summary="Account {{ $labels.account }} reads only deadlines and what is about to be acted on.",
        description="Nine tenths of its reads of 30 days are used; sweeps and polls wait until older days drop out.",
        board=ACCOUNTS,
        panel="Accounts",
        story=Story(
            [Series(f"reconciled_stripe_read_budget_used_ratio{OF_EU}", "0.91x120", "0.9x120", "0.7")],
            labels=EU,
        ),
    ),
    Alert(
        name="ReconciledStripeRateLimited",
        expr=f"{share_of_requests('rate_limited')} > {RATE_LIMITED_SHARE}",
        hold="15m",
        severity="warning",
        component="stripe",
        summary="Stripe answers more than one request in twenty with 429.",
        description="Others on these accounts are slowed too. Lower `read_share`, or ask who else reads as much.",
        board=INTERNALS,
        panel="Requests to Stripe, by outcome",
        story=Story(
            [
                Series('reconciled_stripe_requests_total{outcome="ok"}', "0+90x120", "0+96x120"),
                Series('reconciled_stripe_requests_total{outcome="rate_limited"}', "0+10x120", "0+4x120"),
            ],
            dies="resolves",
        ),
    ),
    Alert(
        name="ReconciledStripeFailing",
        expr=f"{share_of_requests('server|network|malformed')} > {FAILED_SHARE}",
        hold="10m",
        severity="warning",
        component="stripe",
        summary="More than one request to Stripe in ten fails.",
        description="Looks and sweeps are tried again by themselves; see Stripe's status and the network.",
        board=INTERNALS,
        panel="Requests to Stripe, by outcome",
        story=Story(
            [
                Series('reconciled_stripe_requests_total{outcome="ok"}', "0+80x120", "0+92x120"),
                Series('reconciled_stripe_requests_total{outcome="server"}', "0+20x120", "0+8x120"),
            ],
            dies="resolves",
        ),
    ),
    Alert(
        name="ReconciledEnrichmentFailing",
        expr="sum by (job, system) "
        f'(increase(reconciled_enrichment_failures_total{{job="reconciled"}}[15m])) > {ENRICHMENT_FAILURES}',
        hold="10m",
        severity="warning",
        component="sources",
        summary="Reads of the system {{ $labels.system }} fail again and again.",
        description="No case of a rule that needs it opens or resolves until it answers; all others go on.",
        board=INTERNALS,
        panel="Failed reads, by system",
        story=Story(
            [Series('reconciled_enrichment_failures_total{system="crm"}', "0+2x120", "0+0.5x120")],
            labels=(("system", "crm"),),
            dies="resolves",
        ),
    ),
)
