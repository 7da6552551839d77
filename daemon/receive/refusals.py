"""The refusals: what is said to whoever sends something that cannot be taken, and under which reason it is counted.

Stripe shows these sentences beside the delivery in its dashboard, so they speak to the person who looks there.
"""

from dataclasses import dataclass

from accounts.stripe.signatures import TOLERANCE_S, Verdict
from daemon.asgi import Answer, problem
from metrics.catalog import webhook_rejected
from metrics.exemplars import exemplar

BODY_BYTES_MAX = 1024 * 1024  # Stripe publishes no limit; its largest events are a tenth of this


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: str  # the metrics' label
    answer: Answer

    def counted(self, event_id: str | None = None) -> Answer:
        """What to answer, once it is counted; the id only of an event whose signature was right."""
        webhook_rejected.labels(self.reason).inc(exemplar=exemplar("event_id", event_id))
        return self.answer


class Refused(Exception):
    """This request is not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def _refusal(reason: str, status: int, code: str, detail: str, *headers: tuple[bytes, bytes]) -> Refusal:
    return Refusal(reason, problem(status, code, detail, headers))


UNKNOWN_ACCOUNT = _refusal(
    "unknown_account",
    404,
    "unknown_account",
    "No account or platform of this name is configured. The path ends in its id or its acct_… .",
)
WRONG_METHOD = _refusal(
    "method", 405, "method_not_allowed", "Webhooks are sent with POST.", (b"allow", b"POST")
)
TOO_LARGE = _refusal("too_large", 413, "too_large", f"The body is larger than {BODY_BYTES_MAX} bytes.")
TOO_SLOW = _refusal("too_slow", 408, "too_slow", "The body did not arrive in time.")
ENCODED = _refusal(
    "encoded",
    400,
    "encoded_body",
    "The body is compressed. Stripe signs and sends it as it is; so must whatever stands between.",
)
NOT_UTF8 = _refusal("not_utf8", 400, "bad_body", "The body is signed, but is not UTF-8 text.")
NOT_AN_EVENT = _refusal(
    "not_an_event", 400, "bad_body", "The body is signed, but is not an event with an id, a type and a time."
)
BUSY = _refusal(
    "busy", 503, "busy", "Too many events wait to be stored. Send it again.", (b"retry-after", b"5")
)
NOT_STORED = _refusal(
    "not_stored", 503, "not_stored", "The event could not be stored. Send it again.", (b"retry-after", b"30")
)
BAD_SIGNATURE = {
    verdict: _refusal(verdict.value, 400, "bad_signature", detail)
    for verdict, detail in {
        Verdict.NO_HEADER: "There is no Stripe-Signature header.",
        Verdict.MALFORMED: "The Stripe-Signature header has no time, no v1 signature, or too many.",
        Verdict.STALE: f"It was signed more than {TOLERANCE_S} s ago. Is the receiving machine's clock right?",
        Verdict.FUTURE: f"It was signed more than {TOLERANCE_S} s ahead. Is the receiving machine's clock right?",
        Verdict.FORGED: "No signature fits a secret of this endpoint. Is its secret, whsec_…, the configured one?",
        Verdict.NO_SECRET: "No webhook secret is configured here, or none can be read, so nothing is accepted.",
    }.items()
}  # fmt: skip
