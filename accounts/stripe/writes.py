"""Writes to Stripe, through its official SDK: one method for each thing that a person may approve.

The SDK retries nothing, reports nothing about us, logs nothing and writes no file. Every write carries the
idempotency key it is given. A failure is Refused, when nothing was done and Stripe said why, or Uncertain.
"""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import requests
import stripe

from accounts.errors import ActionError, RateLimited, Refused, Uncertain
from accounts.facts import ID_PATTERN
from accounts.limits import IN_FLIGHT_MAX, Limiter
from accounts.stripe.answers import action_error, rate_limited
from accounts.stripe.connection import API_VERSION, CONNECT_S
from accounts.stripe.identity import Proven
from accounts.stripe.resources import WRITES
from metrics.catalog import stripe_requests
from metrics.exemplars import exemplar

if TYPE_CHECKING:
    from stripe import params as p

ANSWER_S: Final = (
    80.0  # Stripe's own patience with a charge; giving up earlier only makes more outcomes unknown
)
KEY_LETTERS_MAX: Final = 255  # Stripe's limit

Send = Callable[[Any, stripe.RequestOptions], stripe.StripeObject]

stripe.enable_telemetry = False  # before any client: it writes a file and sends how long requests took
stripe.log = None
logging.getLogger("stripe").setLevel(logging.CRITICAL + 1)  # it logs parameters and whole bodies


@dataclass(frozen=True, slots=True)
class Outcome:
    """Stripe did it, now or when the same key was first used."""

    object_id: str
    status: str | None
    request_id: str | None
    replayed: bool


class Writer:
    """Acts on one account with a key that was proven to be its act_key. Safe for any number of threads."""

    def __init__(
        self,
        proven: Proven,
        base_url: str,
        http: stripe.HTTPClient,
        limiter: Limiter,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account = proven.account
        self._key = proven.key
        self._base_url = base_url
        self._http = http
        self._limiter = limiter
        self._now = now

    def refund(self, params: "p.RefundCreateParams", *, key: str) -> Outcome:
        if "amount" not in params:
            raise self._refused("refund", "without an amount Stripe would refund all that is left")
        about = params.get("charge") or params.get("payment_intent")
        return self._call("refund", about, key, lambda c, o: c.refunds.create(params, o))

    def capture(self, id_: str, params: "p.PaymentIntentCaptureParams", *, key: str) -> Outcome:
        return self._call("capture", id_, key, lambda c, o: c.payment_intents.capture(id_, params, o))

    def dispute_update(self, id_: str, params: "p.DisputeUpdateParams", *, key: str) -> Outcome:
        if "submit" not in params:
            raise self._refused("dispute_evidence", "without a word about it Stripe would submit it for good")
        return self._call("dispute_evidence", id_, key, lambda c, o: c.disputes.update(id_, params, o))

    def dispute_close(self, id_: str, *, key: str) -> Outcome:
        return self._call("dispute_accept", id_, key, lambda c, o: c.disputes.close(id_, {}, o))

    def invoice_pay(self, id_: str, params: "p.InvoicePayParams", *, key: str) -> Outcome:
        return self._call("invoice_pay", id_, key, lambda c, o: c.invoices.pay(id_, params, o))

    def invoice_send(self, id_: str, *, key: str) -> Outcome:
        return self._call("invoice_send", id_, key, lambda c, o: c.invoices.send_invoice(id_, {}, o))

    def invoice_void(self, id_: str, *, key: str) -> Outcome:
        return self._call("invoice_void", id_, key, lambda c, o: c.invoices.void_invoice(id_, {}, o))

    def invoice_uncollectible(self, id_: str, *, key: str) -> Outcome:
        return self._call(
            "invoice_uncollectible", id_, key, lambda c, o: c.invoices.mark_uncollectible(id_, {}, o)
        )

    def credit_note(self, params: "p.CreditNoteCreateParams", *, key: str) -> Outcome:
        return self._call(
            "credit_note", params["invoice"], key, lambda c, o: c.credit_notes.create(params, o)
        )

    def subscription_cancel(self, id_: str, params: "p.SubscriptionCancelParams", *, key: str) -> Outcome:
        """At once. It is a DELETE, for which Stripe keeps no idempotency key: a repetition is Refused."""
        return self._call(
            "subscription_cancel", id_, key, lambda c, o: c.subscriptions.cancel(id_, params, o)
        )

    def subscription_update(self, id_: str, params: "p.SubscriptionUpdateParams", *, key: str) -> Outcome:
        """Plan and quantity, cancellation at the period's end, and paused collection."""
        return self._call(
            "subscription_change", id_, key, lambda c, o: c.subscriptions.update(id_, params, o)
        )

    def subscription_pause(self, id_: str, params: "p.SubscriptionPauseParams", *, key: str) -> Outcome:
        """Stops the service, in flexible billing mode only; paused collection alone is an update."""
        return self._call("subscription_pause", id_, key, lambda c, o: c.subscriptions.pause(id_, params, o))

    def subscription_resume(self, id_: str, params: "p.SubscriptionResumeParams", *, key: str) -> Outcome:
        return self._call(
            "subscription_resume", id_, key, lambda c, o: c.subscriptions.resume(id_, params, o)
        )

    def review_approve(self, id_: str, *, key: str) -> Outcome:
        return self._call("review_approve", id_, key, lambda c, o: c.reviews.approve(id_, {}, o))

    def payment_link(self, params: "p.PaymentLinkCreateParams", *, key: str) -> Outcome:
        return self._call("payment_link", None, key, lambda c, o: c.payment_links.create(params, o))

    def _call(self, action: str, about: str | None, key: str, send: Send) -> Outcome:
        """Sends once, in its turn, and counts how it ended."""
        if about is not None and not ID_PATTERN.fullmatch(about):
            raise self._refused(action, f"{about[:60]!r} is not an id")
        if not 0 < len(key) <= KEY_LETTERS_MAX:
            raise self._refused(action, f"an idempotency key has 1 to {KEY_LETTERS_MAX} letters")
        endpoint = WRITES[action].endpoint
        outcome, request_id = "network", None
        try:
            with self._limiter.slot(endpoint, about):
                done = self._send(action, key, send)
            outcome, request_id = "ok", done.request_id
        except RateLimited as told:
            outcome, request_id = "rate_limited", told.request_id
            raise Uncertain(
                f"{action}: Stripe asks to wait ({told.reason or 'no reason given'}) and has done nothing. The "
                "same key may be sent again.",
                nothing_done=True,
                retry_after_s=told.retry_after_s,
                account=self.account,
                request_id=told.request_id,
            ) from None
        except Refused as problem:
            outcome, request_id = "invalid", problem.request_id
            raise
        except Uncertain as problem:
            request_id = problem.request_id
            outcome = "server" if request_id is not None else "network"
            raise
        finally:
            stripe_requests.labels(endpoint, outcome).inc(exemplar=exemplar("request_id", request_id))
        return done

    def _send(self, action: str, key: str, send: Send) -> Outcome:
        # Made for this call, so that nothing holds the key's text for longer.
        client = stripe.StripeClient(
            self._key.secret.reveal(),
            stripe_account=self._key.on_behalf_of,
            stripe_version=API_VERSION,
            base_addresses={"api": self._base_url, "files": self._base_url},
            max_network_retries=0,
            http_client=self._http,
        )
        try:
            done = send(client.v1, {"idempotency_key": key})
        except stripe.StripeError as problem:
            raise self._translated(action, problem) from None
        answer = getattr(done, "last_response", None)
        content = answer.data if answer is not None else None
        if answer is None or not isinstance(content, dict) or not isinstance(content.get("id"), str):
            raise Uncertain(
                f"{action}: Stripe's answer is not an object. Look at the object first.", account=self.account
            )
        return Outcome(
            object_id=content["id"],
            status=content.get("status"),
            request_id=answer.request_id,
            replayed=answer.headers.get("Idempotent-Replayed") == "true",
        )

    def _refused(self, action: str, why: str) -> Refused:
        return Refused(f"{action}: {why}. Nothing was sent.", code="not_sent", account=self.account)

    def _translated(self, action: str, problem: stripe.StripeError) -> ActionError | RateLimited:
        headers = {name.lower(): text for name, text in (problem.headers or {}).items()}
        body = (problem.http_body or "").encode()
        if problem.http_status == 429:
            return rate_limited(headers, body, account=self.account, what=action, now=self._now())
        return action_error(
            problem.http_status,
            headers,
            body,
            account=self.account,
            action=action,
            connected=not _never_connected(problem.__cause__),
        )


class WriteClient(stripe.RequestsClient):
    """The SDK's HTTP client with explicit timeouts, no redirects, and no word from the environment but a proxy."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.max_redirects = 0
        self.session.auth = _as_it_is
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=IN_FLIGHT_MAX, max_retries=0)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, adapter)
        super().__init__(timeout=(CONNECT_S, ANSWER_S), session=self.session)

    def request(self, *args: Any, **named: Any) -> Any:
        answer: Any = super().request(*args, **named)
        body, status, headers = answer
        # The SDK would turn a notice into a warning, and a warning may be an error: after the money has moved.
        headers.pop("Stripe-Notice", None)
        return body, status, headers

    def close(self) -> None:
        self.session.close()


def _as_it_is(request: Any) -> Any:
    """Authentication that changes nothing: without one, a .netrc would replace our Authorization header."""
    return request


def _never_connected(cause: BaseException | None) -> bool:
    """Whether nothing can have been sent. A connection that broke, by TLS or otherwise, may have carried it before."""
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(cause.args[0], "reason", None) if cause is not None and cause.args else None
    why = reason.args[0] if isinstance(reason, BaseException) and reason.args else None
    return type(reason).__name__ == "NewConnectionError" or isinstance(why, ssl.SSLCertVerificationError)
