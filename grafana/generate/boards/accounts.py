"""How each account is: one line each, the worst first; and what an account did over time."""

from typing import Final

from grafana.generate.board import Board, Row
from grafana.generate.colors import GREEN, ORANGE, RED
from grafana.generate.panels import (
    OF_ACCOUNT,
    Target,
    Tree,
    bars,
    graph,
    state,
    steps,
    table,
)
from grafana.generate.places import ACCOUNTS as UID
from grafana.generate.places import PUBLIC_URL
from metrics.thresholds import (
    BUDGET_HIGH,
    BUDGET_SPENT,
    DEADLINE_NEAR_S,
    DEADLINE_SOON_S,
    STALE_INTERVALS,
    WATERMARK_LAST_S,
    WATERMARK_OLD_S,
)

SUCCESS: Final = state("reconcile_last_success_timestamp_seconds", "account", selected=OF_ACCOUNT)
INTERVAL: Final = state("reconcile_interval_seconds", "account", selected=OF_ACCOUNT)
WATERMARK: Final = state("event_watermark_timestamp_seconds", "account", selected=OF_ACCOUNT)
DEADLINE: Final = (
    f"min by (account) (reconciled_dispute_next_deadline_timestamp_seconds{{{OF_ACCOUNT}}}) - time()"
)
INFO: Final = state("account_info", "account, stripe_account_id, livemode, mode", selected=OF_ACCOUNT)

# Column after the join: its name, unit, and where it turns, if it does.
COLUMNS: Final = (
    ("A", "Intervals since read whole", "short", steps((STALE_INTERVALS, RED))),
    ("B", "Events complete until", "s", steps((WATERMARK_OLD_S, ORANGE), (WATERMARK_LAST_S, RED))),
    ("C", "Key works", "bool_yes_no", ((None, RED), (1, GREEN))),
    ("D", "Reads used", "percentunit", steps((BUDGET_HIGH, ORANGE), (BUDGET_SPENT, RED))),
    ("E", "Disagreements", "short", ()),
    ("F", "Disputes to answer", "short", steps((1, ORANGE))),
    ("G", "Next deadline in", "s", ((None, RED), (DEADLINE_NEAR_S, ORANGE), (DEADLINE_SOON_S, GREEN))),
)


# In pixels, for a screen of 1,600; the last column takes the rest.
WIDTHS: Final = {
    "account": 130,
    "Intervals since read whole": 210,
    "Events complete until": 170,
    "Key works": 100,
    "Reads used": 110,
    "Disagreements": 130,
    "Disputes to answer": 155,
    "Next deadline in": 145,
    "livemode": 85,
    "mode": 85,
}


def column(ref: str, name: str, unit: str, edges: object) -> Tree:
    assert isinstance(edges, tuple)
    colours = [{"value": at, "color": color} for at, color in edges]
    turns = [
        {"id": "thresholds", "value": {"mode": "absolute", "steps": colours}},
        {"id": "custom.cellOptions", "value": {"type": "color-text"}},
    ]
    return _about(name, {"id": "unit", "value": unit}, *(turns if edges else ()))


def _about(name: str, *properties: Tree) -> Tree:
    return {"matcher": {"id": "byName", "options": name}, "properties": list(properties)}


TO_CASES: Final = _about(
    "account",
    {
        "id": "links",
        "value": [
            {"title": "Its cases", "url": f"{PUBLIC_URL}/?account=${{__value.text}}", "targetBlank": True},
            {"title": "Only this account", "url": f"/d/{UID}?var-account=${{__value.text}}"},
        ],
    },
)

JOINED: Final[tuple[Tree, ...]] = (
    {"id": "joinByField", "options": {"byField": "account", "mode": "outer"}},
    {
        "id": "organize",
        "options": {
            "excludeByName": {f"Time {n}": True for n in range(1, 9)} | {"Time": True, "Value #H": True},
            "renameByName": {f"Value #{ref}": name for ref, name, _, _ in COLUMNS},
        },
    },
)

ACCOUNTS: Final = Board(
    UID,
    "Every account in one line: when it was last read whole, what it may still read, and what it has open.",
    (
        Row(
            "All accounts",
            (
                table(
                    "Accounts",
                    "The worst first. Two intervals without a whole pass is stale; a key that "
                    "does not work stops everything. "
                    "Alerts: ReconciledAccountStale, ReconciledWatermarkOld, ReconciledWatermarkNearHorizon, "
                    "ReconciledAccountKeyUnusable, ReconciledReadBudgetHigh, ReconciledReadBudgetSpent, "
                    "ReconciledDisputeDeadlineSoon, ReconciledDisputeDeadlineAtRisk.",
                    (
                        Target(f"(time() - {SUCCESS}) / {INTERVAL}", instant=True),
                        Target(f"time() - {WATERMARK}", instant=True),
                        Target(state("account_key_usable", "account", selected=OF_ACCOUNT), instant=True),
                        Target(
                            state("stripe_read_budget_used_ratio", "account", selected=OF_ACCOUNT),
                            instant=True,
                        ),
                        Target(state("account_disagreements", "account", selected=OF_ACCOUNT), instant=True),
                        Target(
                            state("disputes_awaiting_response", "account", selected=OF_ACCOUNT), instant=True
                        ),
                        Target(DEADLINE, instant=True),
                        Target(INFO, instant=True),
                    ),
                    sort_by=[{"displayName": "Intervals since read whole", "desc": True}],
                    transformations=JOINED,
                    overrides=[
                        TO_CASES,
                        *(column(*each) for each in COLUMNS),
                        *(_about(name, {"id": "custom.width", "value": px}) for name, px in WIDTHS.items()),
                    ],
                ),
            ),
        ),
        Row(
            "Furthest behind",
            (
                bars(
                    "Stalest accounts",
                    "Intervals since the account was read whole. Alert: ReconciledAccountStale.",
                    [Target(f"topk(10, (time() - {SUCCESS}) / {INTERVAL})", "{{account}}")],
                    "short",
                    steps=steps((STALE_INTERVALS, RED)),
                ),
                bars(
                    "Events furthest behind",
                    "How long ago everything that events told is known to be taken in. "
                    "Alerts: ReconciledWatermarkOld, ReconciledWatermarkNearHorizon.",
                    [Target(f"topk(10, time() - {WATERMARK})", "{{account}}")],
                    "s",
                    steps=steps((WATERMARK_OLD_S, ORANGE), (WATERMARK_LAST_S, RED)),
                ),
                bars(
                    "Reads used",
                    "Share of what Stripe lets be read in 30 days. Above nine tenths only "
                    "deadlines and re-reads go on. "
                    "Alerts: ReconciledReadBudgetHigh, ReconciledReadBudgetSpent.",
                    [
                        Target(
                            f"topk(10, {state('stripe_read_budget_used_ratio', 'account', selected=OF_ACCOUNT)})",
                            "{{account}}",
                        )
                    ],
                    "percentunit",
                    most=1,
                    steps=steps((BUDGET_HIGH, ORANGE), (BUDGET_SPENT, RED)),
                ),
            ),
        ),
        Row(
            "Over time",
            (
                graph(
                    "Intervals since read whole",
                    "A saw's teeth are healthy; a line that only rises is an account that is not read. "
                    "Alert: ReconciledAccountStale.",
                    [Target(f"(time() - {SUCCESS}) / {INTERVAL}", "{{account}}")],
                    "short",
                    steps=steps((STALE_INTERVALS, RED)),
                ),
                graph(
                    "Disagreements, by account",
                    "One account that rises alone has a cause of its own: its CRM, its product, its prices.",
                    [Target(state("account_disagreements", "account", selected=OF_ACCOUNT), "{{account}}")],
                    "short",
                ),
                graph(
                    "Newest event, by account",
                    "How long ago the newest event that is known was created. An account that "
                    "is usually busy and falls "
                    "silent has lost its endpoint.",
                    [
                        Target(
                            "time() - "
                            + state("account_last_event_timestamp_seconds", "account", selected=OF_ACCOUNT),
                            "{{account}}",
                        )
                    ],
                    "s",
                    width=24,
                ),
            ),
        ),
    ),
)
