"""One account's way to Stripe with one key: sends a GET when it is our turn, and gives back a sound answer.

Every request names its timeouts and our API version, follows no redirect, is counted in the read budget before
it is sent and in the metrics when it ended. Nothing is retried here: errors rise.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

import httpx

from accounts.budget import Purpose, ReadBudget
from accounts.errors import Forbidden, Malformed, ObservationError, RateLimited, Unauthorized, Unreachable
from accounts.limits import IN_FLIGHT_MAX, Limiter
from accounts.registry import Key
from accounts.stripe.answers import NoSuchObject, no_answer, observation_error
from accounts.stripe.body import read_body
from metrics.catalog import stripe_read_budget_used_ratio, stripe_requests
from metrics.exemplars import exemplar

T = TypeVar("T")

API_VERSION: Final = "2026-10-28.endive"
USER_AGENT: Final = "reconciled (+https://docs.stripe.com/api)"

CONNECT_S = 5.0  # a handshake that takes longer does not succeed
READ_S = 30.0  # between two bytes; Stripe's slowest lists answer within ten seconds
WRITE_S = 10.0  # a GET is one packet
POOL_S = 30.0  # the limiter keeps fewer in flight than the pool has, so this is never waited for
TIMEOUT: Final = httpx.Timeout(connect=CONNECT_S, read=READ_S, write=WRITE_S, pool=POOL_S)
KEEP_ALIVE_S = 60.0

Parameters = Iterable[tuple[str, str | int]]


def open_client() -> httpx.Client:
    """An HTTP client for one account. Each has its own, so that one account's slow answers use up no other's pool."""
    return httpx.Client(
        timeout=TIMEOUT,
        follow_redirects=False,
        limits=httpx.Limits(
            max_connections=IN_FLIGHT_MAX + 2,
            max_keepalive_connections=IN_FLIGHT_MAX,
            keepalive_expiry=KEEP_ALIVE_S,
        ),
    )


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    content: T
    request_id: str | None
    started_at: datetime  # before the request was sent


class Connection:
    """Safe for any number of threads."""

    def __init__(
        self,
        account: str,
        key: Key,
        base_url: str,
        http: httpx.Client,
        limiter: Limiter,
        budget: ReadBudget,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account = account
        self.key = key
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._limiter = limiter
        self._budget = budget
        self._now = now
        self._budget_ratio = stripe_read_budget_used_ratio.labels(account)
        self._budget_ratio.set(budget.used_ratio)  # also where nothing is left to be spent

    def get(
        self,
        path: str,
        parameters: Parameters = (),
        *,
        decode: Callable[[bytes], T],
        resource: str,
        endpoint: str,
        purpose: Purpose,
        as_owner: bool = False,
    ) -> Answer[T]:
        """What Stripe answers with 200, decoded; everything else rises as one of ours.

        `as_owner` leaves `Stripe-Account` away, to ask for the platform itself.
        """
        query = urlencode(list(parameters), safe="[]")
        url = f"{self._base_url}{path}?{query}" if query else f"{self._base_url}{path}"
        self._budget_ratio.set(self._budget.spend(purpose))
        with self._limiter.slot(endpoint, about=path):
            outcome, request_id = "network", None
            try:
                answer = self._send(url, decode, resource, as_owner)
                outcome, request_id = "ok", answer.request_id
            except ObservationError as problem:
                outcome, request_id = _outcome(problem), problem.request_id
                raise
            finally:
                stripe_requests.labels(endpoint, outcome).inc(exemplar=exemplar("request_id", request_id))
        return answer

    def _send(self, url: str, decode: Callable[[bytes], T], resource: str, as_owner: bool) -> Answer[T]:
        headers = {
            "Authorization": f"Bearer {self.key.secret.reveal()}",
            "Stripe-Version": API_VERSION,
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
        }
        if self.key.on_behalf_of is not None and not as_owner:
            headers["Stripe-Account"] = self.key.on_behalf_of
        started_at = self._now()
        try:
            with self._http.stream(
                "GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=False
            ) as response:
                body = read_body(response, account=self.account)
        except httpx.HTTPError as problem:
            raise no_answer(problem, account=self.account, resource=resource) from None
        except httpx.InvalidURL:
            raise Malformed(f"{resource} cannot be asked for by this name.", account=self.account) from None
        if response.status_code != 200:
            raise observation_error(
                response.status_code,
                response.headers,
                body,
                account=self.account,
                resource=resource,
                now=self._now(),
            )
        request_id = response.headers.get("request-id")
        try:
            return Answer(decode(body), request_id, started_at)
        except Malformed as problem:
            raise Malformed(str(problem), account=self.account, request_id=request_id) from None


def _outcome(problem: ObservationError) -> str:
    """The metrics' word for an error."""
    match problem:
        case RateLimited():
            return "rate_limited"
        case NoSuchObject():
            return "not_found"
        case Unauthorized():
            return "auth"
        case Forbidden():
            return "permission"
        case Malformed():
            return "malformed"
        case Unreachable() if problem.request_id is not None:
            return "server"
        case _:
            return "network"
