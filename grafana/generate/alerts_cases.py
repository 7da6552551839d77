"""Does anything stand too long: disagreements, disputes before their deadlines, and proposals that wait for people."""

from typing import Final

from grafana.generate.alert import Alert, Series, Story
from grafana.generate.places import CASES
from metrics.thresholds import (
    DEADLINE_NEAR_S,
    DEADLINE_SOON_S,
    DECISION_AGE_S,
    DECISIONS_MIN,
    DISAGREEMENT_AGE_S,
    DISAGREEMENTS_GROWTH,
    DISAGREEMENTS_MIN,
    HOUR,
    REJECTED_SHARE,
)

EU: Final = (("account", "acme-eu"),)
OF_EU: Final = '{account="acme-eu"}'
CRM: Final = (("system", "crm"),)


def due_within(seconds: int) -> str:
    """Only while an answer is awaited: a deadline that was met is no longer near."""
    awaited = "job_account:reconciled_disputes_awaiting_response:max1h > 0"
    left = "job_account:reconciled_dispute_next_deadline_timestamp_seconds:min1h - time()"
    return f"({left} < {seconds}) and on (job, account) ({awaited})"


def due_in(bad: int, good: int) -> Story:
    """At minute 110 of the story the deadline is that far away."""
    then = 110 * 60
    return Story(
        [
            Series(
                f"reconciled_dispute_next_deadline_timestamp_seconds{OF_EU}",
                f"{then + bad}x120",
                f"{then + good}x120",
            ),
            Series(f"reconciled_disputes_awaiting_response{OF_EU}", "1x120", "1x120", "0"),
        ],
        labels=EU,
    )


def disputes_in(window: str, bad: int = 1) -> Story:
    return Story(
        [Series(f'reconciled_disputes_by_deadline{{window="{window}"}}', f"{bad}x120", "0x120", "0")],
        labels=(("window", window),),
    )


def standing(kind: str) -> str:
    cases = f'reconciled_cases{{job="reconciled",kind="{kind}",state="open"}}'
    return f"max by (job, kind) (last_over_time({cases}[1h])) > 0"


ALERTS: Final = (
    Alert(
        name="ReconciledDisputeDeadlineSoon",
        expr=due_within(DEADLINE_SOON_S),
        hold="0m",
        severity="warning",
        component="disputes",
        summary="A dispute of account {{ $labels.account }} is due within 72 hours and has no answer.",
        description="Decide whether to answer or to accept; the case holds the drafted evidence.",
        board=CASES,
        panel="Next deadline, by account",
        story=due_in(DEADLINE_SOON_S - HOUR, DEADLINE_SOON_S + HOUR),
    ),
    Alert(
        name="ReconciledDisputeDeadlineAtRisk",
        expr=due_within(DEADLINE_NEAR_S),
        hold="0m",
        severity="critical",
        component="disputes",
        summary="A dispute of account {{ $labels.account }} is due within 24 hours and has no answer.",
        description="Without evidence it is lost, and its fee with it. The case holds what was drafted.",
        board=CASES,
        panel="Next deadline, by account",
        story=due_in(DEADLINE_NEAR_S - HOUR, DEADLINE_NEAR_S + HOUR),
    ),
    Alert(
        name="ReconciledDisputeDeadlineMissed",
        expr='job_window:reconciled_disputes_by_deadline:max1h{window="overdue"} > 0',
        hold="0m",
        severity="critical",
        component="disputes",
        summary="The deadline of a dispute has passed without an answer.",
        description="Stripe may still take one until it closes the dispute: answer at once, "
        "and find out why it was late.",
        board=CASES,
        panel="Disputes, by time left",
        story=disputes_in("overdue"),
    ),
    Alert(
        name="ReconciledDisputeDeadlineUnknown",
        expr='job_window:reconciled_disputes_by_deadline:max1h{window="unknown"} > 0',
        hold="10m",
        severity="critical",
        component="disputes",
        summary="A dispute needs an answer, and Stripe does not say until when.",
        description="Treat it as due today.",
        board=CASES,
        panel="Disputes, by time left",
        story=disputes_in("unknown"),
    ),
    Alert(
        name="ReconciledUnapprovedMoneyMove",
        expr=standing("unapproved_money_move"),
        hold="0m",
        severity="critical",
        component="safety",
        summary="Money was moved, or evidence submitted, and nobody approved it.",
        description="Somebody acts past the queue: in the dashboard, with another key, or a key is in wrong hands.",
        board=CASES,
        panel="Safety cases",
        story=Story(
            [Series('reconciled_cases{kind="unapproved_money_move",state="open"}', "1x120", "0x120", "0")],
            labels=(("kind", "unapproved_money_move"),),
        ),
    ),
    Alert(
        name="ReconciledExecutedDifferently",
        expr=standing("executed_differently"),
        hold="0m",
        severity="critical",
        component="safety",
        summary="A caller did something else than what was approved.",
        description="Stop that caller's token until it is known why.",
        board=CASES,
        panel="Safety cases",
        story=Story(
            [Series('reconciled_cases{kind="executed_differently",state="open"}', "1x120", "0x120", "0")],
            labels=(("kind", "executed_differently"),),
        ),
    ),
    Alert(
        name="ReconciledRuleStorm",
        expr=standing("rule_storm"),
        hold="0m",
        severity="warning",
        component="rules",
        summary="A rule wants so many cases at once that they are held back.",
        description="Usually a source changed its words or lost its rows. Look at the three "
        "examples, then show or switch off.",
        board=CASES,
        panel="Safety cases",
        story=Story(
            [Series('reconciled_cases{kind="rule_storm",state="open"}', "1x120", "0x120", "0")],
            labels=(("kind", "rule_storm"),),
        ),
    ),
    Alert(
        name="ReconciledDisagreementsRising",
        expr='max by (job, system) (sum by (job, instance, system) (reconciled_disagreements{job="reconciled"})) '
        f"> {DISAGREEMENTS_GROWTH} * "
        'max by (job, system) (sum by (job, instance, system) (reconciled_disagreements{job="reconciled"} offset 1d)) '
        'and max by (job, system) (sum by (job, instance, system) (reconciled_disagreements{job="reconciled"})) '
        f"> {DISAGREEMENTS_MIN}",
        hold="30m",
        severity="warning",
        component="cases",
        summary="Half as many disagreements again as yesterday with the system {{ $labels.system }}.",
        description="A deploy, a change of prices or an import is the usual cause; one cause, many cases.",
        board=CASES,
        panel="Disagreements, by system",
        story=Story(
            [
                Series(
                    'reconciled_disagreements{system="crm",kind="plan_mismatch"}',
                    "20x1440 31x120",
                    "20x1440 29x120",
                    "20",
                )
            ],
            labels=CRM,
            fires_at="1540m",
            dies="resolves",
        ),
    ),
    Alert(
        name="ReconciledDisagreementOld",
        expr="time() - min by (job, system) "
        f'(reconciled_disagreement_oldest_timestamp_seconds{{job="reconciled"}}) > {DISAGREEMENT_AGE_S}',
        hold="1h",
        severity="warning",
        component="cases",
        summary="A disagreement with the system {{ $labels.system }} has stood for more than three days.",
        description="Nobody has it, or nobody can settle it: assign it, or accept it as known with a reason.",
        board=CASES,
        panel="Oldest disagreement, by system",
        story=Story(
            [
                Series(
                    'reconciled_disagreement_oldest_timestamp_seconds{system="crm"}',
                    f"{-3 * 86400}x120",
                    "-250000x120",
                    "6900+60x90",
                )
            ],
            labels=CRM,
            dies="resolves",
        ),
    ),
    Alert(
        name="ReconciledNothingCompared",
        expr='sum by (job) (increase(reconciled_comparisons_total{job="reconciled"}[1h])) == 0 '
        'and on (job) job_state:reconciled_accounts:max1h{state="ok"} > 0',
        hold="30m",
        severity="critical",
        component="cases",
        summary="No customer was compared with another system for an hour and a half.",
        description="No disagreement now means nothing. Look for sources without rows, and "
        "rules that are switched off.",
        board=CASES,
        panel="Comparisons, by result",
        story=Story(
            [
                Series(
                    'reconciled_comparisons_total{system="crm",result="match"}', "7x120", "7+1x120", "7+1x90"
                ),
                Series('reconciled_accounts{state="ok"}', "3x120", "3x120"),
            ],
        ),
    ),
    Alert(
        name="ReconciledApprovalsOverdue",
        expr="(time() - max by (job) "
        '(last_over_time(reconciled_proposal_oldest_timestamp_seconds{job="reconciled"}[1h])) '
        f"> {DECISION_AGE_S}) "
        'and on (job) job_state:reconciled_proposals:max1h{state="pending"} > 0',
        hold="15m",
        severity="warning",
        component="desk",
        summary="A proposal has waited for a decision for more than four hours.",
        description="Who asked for it waits too; it expires undecided in the end, which approves nothing.",
        board=CASES,
        panel="Oldest proposal that waits",
        story=Story(
            [
                Series("reconciled_proposal_oldest_timestamp_seconds", "-14400x120", "-7000x120"),
                Series('reconciled_proposals{state="pending"}', "1x120", "1x120", "0"),
            ]
        ),
    ),
    Alert(
        name="ReconciledRejectionsHigh",
        expr="sum by (job) "
        '(increase(reconciled_approvals_total{job="reconciled",actor="human",decision="rejected"}[1d])) '
        f"> {REJECTED_SHARE} * "
        'sum by (job) (increase(reconciled_approvals_total{job="reconciled",actor="human"}[1d])) '
        'and sum by (job) (increase(reconciled_approvals_total{job="reconciled",actor="human"}[1d])) '
        f"> {DECISIONS_MIN}",
        hold="1h",
        severity="warning",
        component="desk",
        summary="People reject much of what is proposed.",
        description="A rule, a draft or an agent is wrong in the same way again and again: read the last reasons.",
        board=CASES,
        panel="Decisions",
        story=Story(
            [
                Series(
                    'reconciled_approvals_total{actor="human",decision="rejected",kind="payment_failed"}',
                    "0+1x120",
                    "0+0.3x120",
                ),
                Series(
                    'reconciled_approvals_total{actor="human",decision="approved",kind="payment_failed"}',
                    "0+1x120",
                    "0+1x120",
                ),
            ],
            clears_in=1_500,
        ),
    ),
)
