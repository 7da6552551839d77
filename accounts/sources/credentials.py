"""What is sent along to prove who we are: headers, basic authentication, OAuth 2 tokens.

Secrets are read when first needed, so that one that is missing troubles its own source only, and again after
a 401, so that a rotated one is picked up.
"""

import base64
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from accounts.configuration import SecretRef, SecretUnreadable
from accounts.errors import Malformed, Unauthorized
from accounts.secret import Secret
from accounts.sources.configuration import Auth, Basic, OAuth2
from accounts.sources.json import at, parse

RENEW_BEFORE_S = 60  # a token that ends while a request is under way is worth nothing
TOKEN_S_MAX = 24 * 3600  # nobody promises longer honestly
Exchange = Callable[[str, bytes], bytes]  # posts a form to the token address; raises on anything but 200


class Credentials:
    """The headers of one source. Shared by threads."""

    def __init__(
        self,
        source: str,
        headers: Mapping[str, SecretRef | str],
        auth: Auth | None,
        exchange: Exchange,
        monotonic: Callable[[], float],
    ) -> None:
        self._source = source
        self._configured = headers
        self._auth = auth
        self._exchange = exchange
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read: dict[str, Secret] | None = None
        self._read_until_s = float("inf")
        self._refresh_token: Secret | None = None  # the newest, where each use brings another

    @property
    def renewable(self) -> bool:
        """Whether a 401 may be cured by asking for another token."""
        return self._auth is not None and self._auth.oauth2 is not None

    def headers(self) -> dict[str, Secret]:
        """By name. Raises Unauthorized with a sentence where a secret cannot be read or is not taken."""
        with self._lock:
            if self._read is None or self._monotonic() >= self._read_until_s:
                self._read = self._fresh()
            return self._read

    def forget(self, refused: Mapping[str, Secret]) -> None:
        """After a 401 to these: the next request reads and asks again, unless another thread already has."""
        with self._lock:
            if self._read == refused:
                self._read = None

    def _fresh(self) -> dict[str, Secret]:
        self._read_until_s = float("inf")
        try:
            read = {
                name: value.read() if isinstance(value, SecretRef) else Secret(value)
                for name, value in self._configured.items()
            }
            if self._auth is not None and self._auth.basic is not None:
                read["Authorization"] = _basic(self._auth.basic)
            elif self._auth is not None and self._auth.oauth2 is not None:
                read["Authorization"] = self._token(self._auth.oauth2)
        except SecretUnreadable as problem:
            raise Unauthorized(f"{self._source}: {problem}. Nothing was asked.") from None
        for name, value in read.items():
            if not value.reveal().isascii():
                raise Unauthorized(
                    f"{self._source}: the secret for {name} holds letters that cannot be sent."
                )
        return read

    def _token(self, oauth2: OAuth2) -> Secret:
        form = {
            "grant_type": "client_credentials",
            "client_id": oauth2.client_id
            if isinstance(oauth2.client_id, str)
            else oauth2.client_id.read().reveal(),
            "client_secret": oauth2.client_secret.read().reveal(),
        }
        if oauth2.refresh_token is not None:
            refresh = self._refresh_token or oauth2.refresh_token.read()
            form |= {"grant_type": "refresh_token", "refresh_token": refresh.reveal()}
        if oauth2.scope is not None:
            form["scope"] = oauth2.scope
        try:
            answer = parse(self._exchange(oauth2.token_url, urlencode(form).encode()))
            token, lifetime_s = at(answer, "access_token"), at(answer, "expires_in")
            replacement = at(answer, "refresh_token")
        except ValueError as reason:
            raise Malformed(f"{self._source}: the token's answer is not understood: {reason}.") from None
        if (
            not isinstance(token, str)
            or not token.isascii()
            or not token.isprintable()
            or " " in token
            or not token
        ):
            raise Malformed(
                f"{self._source}: the token address answered without an access_token. Correct token_url."
            )
        if isinstance(lifetime_s, int | str) and str(lifetime_s).isdecimal():
            self._read_until_s = self._monotonic() + min(int(lifetime_s), TOKEN_S_MAX) - RENEW_BEFORE_S
        if isinstance(replacement, str) and replacement and oauth2.refresh_token is not None:
            self._refresh_token = Secret(replacement)
        return Secret(f"Bearer {token}")


def _basic(basic: Basic) -> Secret:
    pair = f"{basic.username}:{basic.password.read().reveal()}"
    return Secret("Basic " + base64.b64encode(pair.encode()).decode())
