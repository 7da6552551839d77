"""One request to one web source, and what its answer means: the only module that turns httpx's errors into ours."""

import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn
from urllib.parse import urlsplit

import httpx

from accounts.configuration import LOOPBACK
from accounts.errors import Forbidden, Malformed, RateLimited, Refused, Unauthorized, Uncertain, Unreachable
from accounts.secret import Secret
from accounts.sources.configuration import Http
from accounts.sources.credentials import Credentials
from accounts.sources.json import at, parse

CONNECT_S = 10
ANSWER_S = 30  # of silence; CRMs take seconds for a page on a bad day
WHOLE_ANSWER_S = 120  # a page that drips in for longer would hold its thread for ever
PAGE_BYTES_MAX = 16 * 1024 * 1024  # decoded; a hundred rows are about 100 KiB
CHUNK_BYTES = 64 * 1024
RETRY_AFTER_S_MAX = 24 * 3600
THEIR_WORDS_MAX = 200  # characters of their message that we repeat

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_LIMIT_CODES = ("REQUEST_LIMIT_EXCEEDED",)  # Salesforce says 403 where others say 429


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes
    sent_at: datetime  # taken before the request left


class _NotSent(Exception):
    """Nothing reached them."""


class _Lost(Exception):
    """It may have reached them; the answer did not reach us."""


class _Unusable(Exception):
    """An answer came that we will not read to its end."""


class Wire:
    """Sends with the source's credentials. Shared by threads."""

    def __init__(
        self,
        source: str,
        http: Http,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.source = source
        self._now = now
        self._monotonic = monotonic
        self._credentials = Credentials(source, http.headers, http.auth, self._token_answer, monotonic)
        self._client = httpx.Client(
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            follow_redirects=False,
            # What goes to this machine does not go through a proxy in clear text.
            trust_env=urlsplit(http.url).hostname not in LOOPBACK,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "reconciled"},
            transport=transport,
        )

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer 200, 304, 404 or 410; everything else is raised as a failed read."""
        credentials = self._credentials.headers()
        answer = self._read(url, credentials, headers or {})
        if answer.status == httpx.codes.UNAUTHORIZED:
            self._credentials.forget(credentials)
            if self._credentials.renewable:
                credentials = self._credentials.headers()
                answer = self._read(url, credentials, headers or {})
        if answer.status not in {200, 304, 404, 410}:
            self._unread(answer, credentials)
        return answer

    def send(self, method: str, url: str, body: bytes) -> Answer:
        """The answer to a write that was taken; raises Refused, or Uncertain where nobody can know."""
        try:
            credentials = self._credentials.headers()
            answer = self._written(method, url, body, credentials)
            if answer.status == httpx.codes.UNAUTHORIZED:
                self._credentials.forget(credentials)
                if self._credentials.renewable:
                    credentials = self._credentials.headers()
                    answer = self._written(method, url, body, credentials)
        except (Unauthorized, Malformed, Unreachable) as no_credentials:
            raise Refused(f"{no_credentials} Nothing was written.", code="not_sent") from None
        if not httpx.codes.is_success(answer.status):
            self._unwritten(answer, credentials)
        return answer

    def close(self) -> None:
        self._client.close()

    def _read(self, url: str, credentials: Mapping[str, Secret], headers: Mapping[str, str]) -> Answer:
        try:
            return self._exchange("GET", url, credentials, headers, None)
        except (_NotSent, _Lost) as reason:
            raise Unreachable(f"{self.source}: {reason}. It is asked again later.") from None
        except _Unusable as reason:
            raise Malformed(f"{self.source}: {reason}. Nothing of it was used.") from None

    def _written(self, method: str, url: str, body: bytes, credentials: Mapping[str, Secret]) -> Answer:
        try:
            return self._exchange(method, url, credentials, {"Content-Type": "application/json"}, body)
        except _NotSent as reason:
            raise Refused(f"{self.source}: {reason}. Nothing was written.", code="not_sent") from None
        except (_Lost, _Unusable) as reason:
            raise Uncertain(
                f"{self.source}: {reason}. Whether it was written is unknown; read before writing again."
            ) from None

    def _token_answer(self, url: str, form: bytes) -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = self._exchange("POST", url, {}, headers, form)
        except (_NotSent, _Lost) as reason:
            raise Unreachable(f"{self.source}: no token came: {reason}. It is asked again later.") from None
        except _Unusable as reason:
            raise Malformed(f"{self.source}: no token came: {reason}.") from None
        if answer.status in {400, 401, 403}:
            # Their words are left out: an answer to a secret may repeat it.
            raise Unauthorized(
                f"{self.source}: the token address refused our client or refresh token "
                f"(status {answer.status}). Renew it and put it in its place."
            )
        if answer.status != httpx.codes.OK:
            self._unread(answer, {})
        return answer.body

    def _exchange(
        self,
        method: str,
        url: str,
        credentials: Mapping[str, Secret],
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> Answer:
        sent = dict(headers) | {name: value.reveal() for name, value in credentials.items()}
        sent_at, give_up_s = self._now(), self._monotonic() + WHOLE_ANSWER_S
        try:
            with self._client.stream(method, url, headers=sent, content=content) as response:
                body = self._body(response, give_up_s)
        except httpx.InvalidURL:
            raise _Unusable("it was asked at an address that is none") from None
        except _NOT_SENT as error:
            raise _NotSent(f"no connection ({_kind(error)})") from None
        except httpx.TimeoutException:
            raise _Lost(f"no answer within {ANSWER_S} s") from None
        except httpx.TransportError as error:
            raise _Lost(f"the connection broke ({_kind(error)})") from None
        return Answer(response.status_code, response.headers, body, sent_at)

    def _body(self, response: httpx.Response, give_up_s: float) -> bytes:
        """Unpacked here, piece by piece, so that a small answer cannot become a large one."""
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in {"identity", "gzip"}:
            raise _Unusable("the answer is packed in a way we did not ask for")
        unpack = zlib.decompressobj(wbits=31) if packed == "gzip" else None
        body = bytearray()
        for chunk in response.iter_raw(CHUNK_BYTES):
            if self._monotonic() > give_up_s:
                raise _Lost(f"the answer took longer than {WHOLE_ANSWER_S} s")
            try:
                body += unpack.decompress(chunk, PAGE_BYTES_MAX + 1) if unpack else chunk
            except zlib.error:
                raise _Unusable("the answer cannot be unpacked") from None
            if len(body) > PAGE_BYTES_MAX:
                raise _Unusable(
                    f"the answer is larger than {PAGE_BYTES_MAX // 1024**2} MiB; ask for smaller pages"
                )
        if unpack and body and not unpack.eof:
            raise _Lost("the answer was cut off")
        return bytes(body)

    def _unread(self, answer: Answer, credentials: Mapping[str, Secret]) -> NoReturn:
        said, code = _their_words(answer.body, credentials)
        wait_s = self._retry_after_s(answer)
        if answer.status == 429 or code in _LIMIT_CODES or (answer.status == 503 and wait_s is not None):
            when = f"in {wait_s:.0f} s" if wait_s is not None else "later"
            raise RateLimited(
                f"{self.source}: it asked us to wait{said}. It is asked again {when}.",
                reason=code or str(answer.status),
                retry_after_s=wait_s,
            )
        match answer.status:
            case 401:
                raise Unauthorized(
                    f"{self.source}: it does not know our credentials{said}. Renew them and put them in their place."
                )
            case 403:
                raise Forbidden(
                    f"{self.source}: our credentials may not read this{said}. Grant that, or remove it."
                )
            case 408 | 500 | 502 | 503 | 504:
                raise Unreachable(
                    f"{self.source}: it answered {answer.status}{said}. It is asked again later."
                )
            case status if 300 <= status < 400:
                raise Malformed(
                    f"{self.source}: it redirects (status {status}), and credentials are not carried elsewhere. "
                    "Put the final address into the configuration."
                )
            case status if status >= 500:
                raise Unreachable(f"{self.source}: it answered {status}{said}. It is asked again later.")
            case status:
                raise Malformed(
                    f"{self.source}: it answered {status}{said}. Correct the address or its parameters."
                )

    def _unwritten(self, answer: Answer, credentials: Mapping[str, Secret]) -> NoReturn:
        said, code = _their_words(answer.body, credentials)
        if 400 <= answer.status < 500 and answer.status != httpx.codes.REQUEST_TIMEOUT:
            raise Refused(
                f"{self.source}: it refused (status {answer.status}){said}. Nothing was written.",
                code=code or str(answer.status),
            )
        raise Uncertain(
            f"{self.source}: it answered {answer.status}{said}. Whether it was written is unknown; read before "
            "writing again."
        )

    def _retry_after_s(self, answer: Answer) -> float | None:
        written = answer.headers.get("retry-after", "").strip()
        wait_s: float | None = None
        if written.isdecimal():
            wait_s = float(written[:9])
        else:
            with suppress(ValueError):
                when = parsedate_to_datetime(written)
                when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
                wait_s = (when - self._now()).total_seconds()
        return None if wait_s is None else min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def _kind(error: httpx.TransportError) -> str:
    """The class's name: the text of these errors may hold addresses with parameters."""
    return type(error).__name__


def _their_words(body: bytes, credentials: Mapping[str, Secret]) -> tuple[str, str | None]:
    """Their message as the middle of a sentence, and their code, where the answer has the usual places for it."""
    try:
        answer = parse(body[:CHUNK_BYTES])
        first = answer[0] if isinstance(answer, list) and answer else answer
        said = next(
            (at(first, place) for place in ("message", "error.message", "detail") if _has(first, place)), ""
        )
        code = next(
            (at(first, place) for place in ("policyName", "errorCode", "code") if _has(first, place)), None
        )
    except ValueError:
        return "", None
    words = "".join(letter for letter in str(said) if letter.isprintable())
    for secret in credentials.values():
        for part in secret.reveal().split():
            words = words.replace(part, "…")
    words = words[:THEIR_WORDS_MAX]  # last: of a credential that is cut in two, the first half would stay
    return (f" and said “{words}”" if words else ""), (str(code)[:64] if code else None)


def _has(value: object, place: str) -> bool:
    try:
        return isinstance(at(value, place), str)
    except ValueError:
        return False
