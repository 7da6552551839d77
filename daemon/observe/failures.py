"""Reads that failed, counted by the system that was asked and by why, whoever asked and whatever comes of it."""

from accounts.errors import BudgetSpent, Forbidden, Malformed, ObservationError, RateLimited, Unreachable
from daemon.core.model import System
from metrics.catalog import enrichment_failures
from metrics.exemplars import exemplar


def count_failure(system: System, problem: ObservationError) -> None:
    asked = exemplar("request_id", problem.request_id)
    enrichment_failures.labels(system.value, word_for(problem)).inc(exemplar=asked)


def word_for(problem: ObservationError) -> str:
    match problem:
        case RateLimited():
            return "rate_limited"
        case BudgetSpent():
            return "budget"
        case Unreachable():
            return "unreachable"
        case Malformed():
            return "malformed"
        case Forbidden():
            return "permission"
        case _:
            return "auth"
