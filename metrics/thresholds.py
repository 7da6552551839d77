"""Where good ends: one number each, for the alert that fires there, the panel that turns red, and `check --live`.

How often an account is to be read whole is no constant: the daemon exports it, and staleness is measured against it.
"""

from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

HEARTBEAT_S: Final = 2 * MINUTE  # the clock ticks every second
CANARY_S: Final = 5 * MINUTE  # it flies every 30 seconds
PICTURE_S: Final = MINUTE  # the state metrics are computed every 15 seconds
QUEUE_AGE_S: Final = 10 * MINUTE
DEAD_LETTER_AGE_S: Final = 4 * HOUR
STALE_INTERVALS: Final = 2
STALE_SHARE: Final = 0.1  # of the fleet: then it is not one account's trouble
WATERMARK_OLD_S: Final = 2 * DAY  # Stripe gives up on webhooks after three days
WATERMARK_LAST_S: Final = 20 * DAY  # it forgets events after thirty
BUDGET_HIGH: Final = 0.8
BUDGET_SPENT: Final = 0.9  # from here on only re-reads and deadlines are served
RATE_LIMITED_SHARE: Final = 0.05
FAILED_SHARE: Final = 0.1
ENRICHMENT_FAILURES: Final = 10  # in a quarter of an hour: fewer mend themselves
DUPLICATES_SHARE: Final = 0.5
DUPLICATES_MIN: Final = 100  # in an hour; fewer say nothing
REJECTED_MIN: Final = 20  # webhooks in a quarter of an hour
DISAGREEMENTS_GROWTH: Final = 1.5  # times as many as a day ago
DISAGREEMENTS_MIN: Final = 20
DISAGREEMENT_AGE_S: Final = 3 * DAY
DECISION_AGE_S: Final = 4 * HOUR
REJECTED_SHARE: Final = 0.4  # of what people decided in a day
DECISIONS_MIN: Final = 20
DEADLINE_SOON_S: Final = 72 * HOUR
DEADLINE_NEAR_S: Final = 24 * HOUR
MISSED_TICKS: Final = 3  # in an hour

OBJECTIVE: Final = 0.99  # of what changed is looked at within a minute
ERROR_BUDGET: Final = 1 - OBJECTIVE
EVENTS_MIN: Final = 20  # in the long window: one late event of two is no outage
BURNS: Final = (  # long window, short window, times the budget's even pace
    ("1h", "5m", 14.4),
    ("6h", "30m", 6.0),
    ("1d", "2h", 3.0),
    ("3d", "6h", 1.0),
)
