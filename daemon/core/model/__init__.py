"""The nouns that rules speak in: facts, policy, disagreement, and the closed sets behind them."""

from accounts.facts import Entitlement, Record, Subject
from accounts.money import Money
from accounts.stripe.shapes import Subscription
from daemon.core.model.account import (
    AccessWords,
    AccountFacts,
    AccountHealth,
    CrmWords,
    Estate,
    HeldRule,
    PlanNames,
)
from daemon.core.model.derived import derived
from daemon.core.model.desk import CallerApproval, Dismissal, LiveProposal, Standing, Tried
from daemon.core.model.disagreement import (
    Difference,
    Disagreement,
    Found,
    LookAgain,
    Recommendation,
    Side,
    Unread,
    fingerprint,
)
from daemon.core.model.facts import BY_AGE, BY_KEY, GONE, LIVE, Facts, Filed, Neighbour, moment
from daemon.core.model.kinds import (
    DISAGREEMENTS,
    DUE_UNKNOWN,
    SEVERITY_RANK,
    SYSTEM_OF,
    CaseState,
    Direction,
    Due,
    Kind,
    Severity,
    Source,
    Substate,
    System,
)
from daemon.core.model.policy import (
    ApproveLine,
    AutoLine,
    Deadlines,
    Escalation,
    Limits,
    Parameter,
    Policy,
    Rates,
    Switch,
    Template,
    Tolerance,
)
from daemon.core.model.remedies import (
    CLOSED,
    acknowledgement,
    as_given,
    closing,
    correction,
    entitlement_set,
    task,
)
from daemon.core.model.revenue import Monthly, Unknowable, monthly_of, sum_of

__all__ = [
    "BY_AGE", "BY_KEY", "CLOSED", "DISAGREEMENTS", "DUE_UNKNOWN", "GONE", "LIVE", "SEVERITY_RANK", "SYSTEM_OF",
    "AccessWords", "AccountFacts", "AccountHealth", "ApproveLine", "AutoLine", "CallerApproval",
    "CaseState", "CrmWords", "Deadlines", "Difference", "Direction", "Disagreement", "Dismissal", "Due",
    "Entitlement", "Escalation", "Estate", "Facts", "Filed", "Found", "HeldRule", "Kind", "Limits",
    "LiveProposal", "LookAgain", "Money", "Monthly", "Neighbour", "Parameter", "PlanNames", "Policy", "Rates",
    "Recommendation", "Record", "Severity", "Side", "Source", "Standing", "Subject", "Subscription",
    "Substate", "Switch", "System", "Template", "Tolerance", "Tried", "Unknowable", "Unread",
    "acknowledgement", "as_given", "closing", "correction", "derived", "entitlement_set", "fingerprint",
    "moment", "monthly_of", "sum_of", "task",
]  # fmt: skip
