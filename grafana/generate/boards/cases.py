"""What stands, what is decided about it, and what was done: disagreements, disputes, proposals, attempts."""

from typing import Final

from grafana.generate.board import Board, Row
from grafana.generate.colors import GREEN, ORANGE, RED
from grafana.generate.panels import (
    OF_ACCOUNT,
    SELECTED,
    Target,
    Tree,
    bars,
    graph,
    grown,
    over_range,
    quantile,
    rate,
    stat,
    state,
    steps,
)
from grafana.generate.places import CASES as UID
from grafana.generate.places import PUBLIC_URL
from metrics.catalog import ACTION_OUTCOMES, APPROVAL_DECISIONS, COMPARISONS
from metrics.state import WINDOWS
from metrics.thresholds import (
    DEADLINE_NEAR_S,
    DEADLINE_SOON_S,
    DECISION_AGE_S,
    DISAGREEMENT_AGE_S,
)

SAFETY: Final = (
    "unapproved_money_move", "executed_differently", "approved_not_executed", "rule_storm", "event_gap",
    "account_degraded",
)  # fmt: skip
HUMAN: Final = 'actor="human"'
APPROVED: Final = f'{HUMAN}, decision="approved"'
FROM_NEAR_TO_FAR: Final = ((None, RED), (DEADLINE_NEAR_S, ORANGE), (DEADLINE_SOON_S, GREEN))


LIVE: Final = ("pending", "changes_requested", "approved", "executing", "failed", "unknown")
URGENT: Final = {"overdue": RED, "lt_24h": RED, "lt_72h": ORANGE, "unknown": RED}
TALL: Final = 12  # for as many kinds as there are


def from_the_first(series: str, color: str) -> Tree:
    """Good is none of them."""
    edges = {"mode": "absolute", "steps": [{"value": None, "color": GREEN}, {"value": 1, "color": color}]}
    return {
        "matcher": {"id": "byName", "options": series},
        "properties": [{"id": "thresholds", "value": edges}],
    }


def to_queue(query: str) -> tuple[Tree, ...]:
    return ({"title": "In the queue", "url": f"{PUBLIC_URL}/?{query}", "targetBlank": True},)


CASES: Final = Board(
    UID,
    "What stands between the systems, what people decide about it, and what is then done, once.",
    (
        Row(
            "Systems that disagree",
            (
                graph(
                    "Disagreements, by system",
                    "Customers about whom Stripe and another system say different things. A "
                    "jump is one cause with many "
                    "faces. Alert: ReconciledDisagreementsRising.",
                    [Target(f"sum by (system) ({state('disagreements', 'system, kind')})", "{{system}}")],
                    "short",
                    height=TALL,
                    stacked=True,
                ),
                bars(
                    "Disagreements, by kind",
                    "What they are about. Click for the cases. Alert: ReconciledDisagreementsRising.",
                    [Target(f"sort_desc({state('disagreements', 'kind')} > 0)", "{{kind}}")],
                    "short",
                    width=12,
                    height=TALL,
                    no_value="none",
                    links=to_queue("kind=${__field.labels.kind}"),
                ),
                bars(
                    "Oldest disagreement, by system",
                    "For how long the oldest has stood. Days: nobody has it. Alert: ReconciledDisagreementOld.",
                    [
                        Target(
                            "time() - min by (system) "
                            f"(reconciled_disagreement_oldest_timestamp_seconds{{{SELECTED}}})",
                            "{{system}}",
                        )
                    ],
                    "s",
                    steps=steps((DISAGREEMENT_AGE_S, ORANGE)),
                    no_value="none",
                ),
                graph(
                    "Comparisons, by result",
                    "Customers that were compared with another system. Nothing compared: no "
                    "disagreement means nothing. "
                    "Alert: ReconciledNothingCompared.",
                    [Target(rate("comparisons_total", "result"), "{{result}}")],
                    "ops",
                    width=16,
                    words=COMPARISONS,
                ),
            ),
        ),
        Row(
            "Disputes",
            (
                bars(
                    "Disputes, by time left",
                    "Every open dispute is in one window. Overdue and unknown need somebody now. "
                    "Alerts: ReconciledDisputeDeadlineMissed, ReconciledDisputeDeadlineUnknown, "
                    "ReconciledDisputeDeadlineAtRisk, ReconciledDisputeDeadlineSoon.",
                    [
                        Target(state("disputes_by_deadline", "window", f'window="{window}"'), "{{window}}")
                        for window in WINDOWS
                    ],
                    "short",
                    width=12,
                    overrides=[from_the_first(window, color) for window, color in URGENT.items()],
                    links=to_queue("kind=dispute_deadline"),
                ),
                bars(
                    "Next deadline, by account",
                    "Time until the first dispute without an answer is lost. "
                    "Alerts: ReconciledDisputeDeadlineSoon, ReconciledDisputeDeadlineAtRisk.",
                    [
                        Target(
                            "sort(min by (account) "
                            f"(reconciled_dispute_next_deadline_timestamp_seconds{{{OF_ACCOUNT}}}) - time())",
                            "{{account}}",
                        )
                    ],
                    "s",
                    width=12,
                    steps=FROM_NEAR_TO_FAR,
                    no_value="none",
                    links=to_queue("kind=dispute_deadline&account=${__field.labels.account}"),
                ),
            ),
        ),
        Row(
            "Decisions",
            (
                graph(
                    "Proposals, by state",
                    "Proposals that are not over. Unknown: nobody knows whether it was done. "
                    "Alert: ReconciledActionUnknown.",
                    [Target(state("proposals", "state"), "{{state}}")],
                    "short",
                    width=8,
                    stacked=True,
                    words=LIVE,
                ),
                graph(
                    "Decisions",
                    "What people, and the policy's rules, decided. Many rejections: something proposes nonsense. "
                    "Alert: ReconciledRejectionsHigh.",
                    [Target(grown("approvals_total", "decision, actor"), "{{decision}} by {{actor}}")],
                    "short",
                    width=8,
                    stacked=True,
                    bars=True,
                    words=APPROVAL_DECISIONS,
                ),
                graph(
                    "Wait for a decision",
                    "From the making of a proposal to its decision.",
                    [
                        Target(quantile(0.5, "approval_wait_seconds"), "p50"),
                        Target(quantile(0.95, "approval_wait_seconds"), "p95"),
                    ],
                    "s",
                    width=8,
                ),
                stat(
                    "Oldest proposal that waits",
                    "How long the oldest undecided proposal has waited. Alert: ReconciledApprovalsOverdue.",
                    f"max(time() - max(reconciled_proposal_oldest_timestamp_seconds{{{SELECTED}}}))",
                    "s",
                    width=6,
                    steps=steps((DECISION_AGE_S, ORANGE)),
                    no_value="none",
                    links=to_queue("kind=approval_request"),
                ),
                stat(
                    "Stops",
                    "Stops that are set, for one account or for all. While one is, nothing is executed there. "
                    "Alert: ReconciledActionsStopped.",
                    f"max(reconciled_actions_stopped{{{SELECTED}}})",
                    "short",
                    width=6,
                    steps=steps((1, ORANGE)),
                ),
                stat(
                    "Invariants",
                    "What must never happen and was about to, in the time that is shown. "
                    "Anything but 0: switch acting off. "
                    "Alert: ReconciledInvariantViolated.",
                    over_range("invariant_violations_total", "job"),
                    "short",
                    width=6,
                    steps=steps((1, RED)),
                ),
                stat(
                    "Approved by people",
                    "Of what people decided in the time that is shown, the share that they approved.",
                    f"{over_range('approvals_total', 'job', APPROVED)} / "
                    f"({over_range('approvals_total', 'job', HUMAN)} > 0)",
                    "percentunit",
                    width=6,
                    no_value="no decisions",
                ),
            ),
        ),
        Row(
            "What was done",
            (
                graph(
                    "Attempts, by outcome",
                    "Attempts to act. Refused and failed: nothing was done. Unknown: the answer was lost. "
                    "Alert: ReconciledActionFailed.",
                    [Target(grown("actions_total", "outcome"), "{{outcome}}")],
                    "short",
                    stacked=True,
                    bars=True,
                    words=ACTION_OUTCOMES,
                ),
                graph(
                    "Safety cases",
                    "Money that moved past the queue, callers that did something else, rules "
                    "and sources that are held or lost. "
                    "Alerts: ReconciledUnapprovedMoneyMove, ReconciledExecutedDifferently, ReconciledRuleStorm.",
                    [Target(state("cases", "kind", f'state="open", kind=~"{"|".join(SAFETY)}"'), "{{kind}}")],
                    "short",
                    stacked=True,
                    words=SAFETY,
                ),
            ),
        ),
    ),
)
