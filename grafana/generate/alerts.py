"""All alerts, in the order of the questions: is it alive, does it hear, does it keep up, is money at risk, who acts?

alive       process, clock, stages, state metrics
reading     accounts, keys, Stripe, the other systems
events      webhooks, gaps, queue, dead letters
cases       disagreements, disputes, decisions
acting      attempts, invariants, deliveries
"""

from typing import Final

from grafana.generate import alerts_acting, alerts_alive, alerts_cases, alerts_events, alerts_reading
from grafana.generate.alert import Alert

ALERTS: Final[tuple[Alert, ...]] = (
    *alerts_alive.ALERTS,
    *alerts_reading.ALERTS,
    *alerts_events.ALERTS,
    *alerts_cases.ALERTS,
    *alerts_acting.ALERTS,
)
