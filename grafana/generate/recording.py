"""Recording rules: what several alerts need, computed once; `level:metric:operations`.

What is read from the database is the same in every replica, so it is never summed over them. `max1h` keeps the last
word of a daemon that died for an hour: an alert about an account must not resolve because nobody is left to say so.
"""

from typing import Final

JOB: Final = '{job="reconciled"}'

WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def last_hour(metric: str, over: str, *, labels: str = "job, account") -> tuple[str, str]:
    """A state metric that outlives its exporter by an hour."""
    level = labels.replace(", ", "_")
    selected = f"last_over_time(reconciled_{metric}{JOB}[1h])"
    return f"{level}:reconciled_{metric}:{over}1h", f"{over} by ({labels}) ({selected})"


def late_share(window: str) -> tuple[str, str]:
    """What was looked at too late, or never, as a share of all."""
    counted = f'increase(reconciled_event_verdicts_total{{job="reconciled"%s}}[{window}])'
    bad, every = counted % ',verdict!="good"', counted % ""
    return (
        f"job:reconciled_event_bad:ratio_increase{window}",
        f"sum by (job) ({bad}) / sum by (job) ({every})",
    )


RECORDED: Final = (
    last_hour("reconcile_last_success_timestamp_seconds", "max"),
    last_hour("reconcile_interval_seconds", "max"),
    last_hour("event_watermark_timestamp_seconds", "max"),
    last_hour("dispute_next_deadline_timestamp_seconds", "min"),
    last_hour("disputes_awaiting_response", "max"),
    last_hour("account_key_usable", "max"),
    last_hour("stripe_read_budget_used_ratio", "max"),
    last_hour("disputes_by_deadline", "max", labels="job, window"),
    last_hour("accounts", "max", labels="job, state"),
    last_hour("queue_subjects", "max", labels="job, state"),
    last_hour("proposals", "max", labels="job, state"),
    last_hour("disagreements", "max", labels="job, system, kind"),
    *(late_share(window) for window in WINDOWS),
)
