"""Colours: one for each word on all boards, so that nobody has to read the legend to see that something failed."""

from collections.abc import Sequence
from typing import Any, Final

GREEN, BLUE, PURPLE, YELLOW, ORANGE, RED = "green", "blue", "purple", "yellow", "orange", "red"
GRAY: Final = "#6e7077"  # nothing is known; Grafana has no name for it

# What is as it should be, what is a fact and no verdict, what somebody should see, and what is lost.
COLORS: Final = {
    **dict.fromkeys(("approved", "executed", "good", "match", "ok", "taken", "webhook"), GREEN),
    **dict.fromkeys(("later", "noop", "pending", "poll", "waiting"), BLUE),
    **dict.fromkeys(("executing", "invalid", "max_instances", "changes_requested", "ready"), YELLOW),
    **dict.fromkeys(("late", "mismatch", "missed", "rate_limited", "refused", "rejected", "stale"), ORANGE),
    **dict.fromkeys(("auth", "dead", "error", "failed", "lost", "unread"), RED),
    **dict.fromkeys(("incomparable", "network", "replay", "unknown"), PURPLE),
    "account_degraded": "light-orange",
    "approved_not_executed": ORANGE,
    "event_gap": YELLOW,
    "executed_differently": "light-red",
    "expired": "dark-orange",
    "malformed": "dark-purple",
    "missing_local": "light-orange",
    "missing_remote": "dark-orange",
    "not_found": "light-blue",
    "permission": "dark-red",
    "rule_storm": PURPLE,
    "server": "light-red",
    "unapproved_money_move": RED,
    "withdrawn": "light-blue",
}


def colored(words: Sequence[str]) -> list[dict[str, Any]]:
    """Overrides for the series whose names begin with these words."""
    return [
        {
            "matcher": {"id": "byRegexp", "options": f"/^{word}( |$)/"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": COLORS[word]}}],
        }
        for word in words
    ]
