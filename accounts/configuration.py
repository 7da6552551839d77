"""The values that configuration is made of: durations, secrets by reference, addresses, names.

Every section of `reconciled.toml` is a `Section`: frozen, refusing unknown keys, and silent about what was
typed (a key pasted into the wrong place must not come back in an error). The validation context carries
`base`, the folder that relative paths start from.
"""

import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from accounts.errors import Explained
from accounts.secret import Secret

COMMAND_TIMEOUT_S = 20  # a password manager may ask a remote vault; longer than that is a hang
SECRET_BYTES_MAX = 64 * 1024  # a wrong path must not read a disk image into memory

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Section(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class SecretUnreadable(Explained):
    """A secret could not be read. The message names the place, never the value."""


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,9})([smhdw])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a duration is a whole number and a unit, such as "60s", "10m", "6h" or "7d"')
    return timedelta(seconds=int(found[1]) * _UNITS_S[found[2]])


def _at_least_a_second(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("a duration here is at least 1s")
    return value


def _absolute(value: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base", Path.cwd())
    return Path(base) / value.expanduser()


def safe_url(value: str) -> str:
    """https, or plain http to this machine only: what is sent carries credentials."""
    # Templates such as {cursor} may stand in the path and the query, never in the host.
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("this is not a usable address") from None
    if parts.scheme not in {"http", "https"} or not host or "{" in parts.netloc or "@" in parts.netloc:
        raise ValueError("an address begins with https:// and a host name, without user or password in it")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError("plain http is allowed to this machine only; use https")
    return value


SettleDuration = Annotated[timedelta, BeforeValidator(_duration)]
Duration = Annotated[SettleDuration, AfterValidator(_at_least_a_second)]
FilePath = Annotated[Path, AfterValidator(_absolute)]
SafeUrl = Annotated[str, AfterValidator(safe_url)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
StripeAccountId = Annotated[str, Field(pattern=r"^acct_[A-Za-z0-9]{1,250}$")]


class SecretRef(Section):
    """Where a secret is: an environment variable, a file, or what a command prints."""

    env: str | None = None
    file: FilePath | None = None
    command: tuple[str, ...] | None = None
    format: str = "{}"  # for headers: "Bearer {}"

    @model_validator(mode="before")
    @classmethod
    def _no_literal(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(
                "a secret is never written into this file; name where it is: "
                '{ env = "NAME" }, { file = "path" } or { command = ["…"] }'
            )
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretRef":
        named = [way for way in (self.env, self.file, self.command) if way]
        if len(named) != 1:
            raise ValueError("name exactly one of env, file and command")
        if self.format.count("{}") != 1:
            raise ValueError('format holds exactly one "{}", where the secret goes')
        return self

    def __str__(self) -> str:
        if self.env is not None:
            return f"the environment variable {self.env}"
        return (
            f"the file {self.file}" if self.file is not None else f"the command {(self.command or ('',))[0]}"
        )

    def read(self) -> Secret:
        """The secret as it is now; raises SecretUnreadable with a sentence."""
        if self.env is not None:
            found = os.environ.get(self.env)
            if found is None:
                raise SecretUnreadable(f"{self} is not set")
        elif self.file is not None:
            found = self._from_file(self.file)
        else:
            found = self._from_command(self.command or ())
        found = found.strip()
        if not found:
            raise SecretUnreadable(f"{self} is empty")
        if not found.isprintable() or " " in found:
            raise SecretUnreadable(f"{self} holds spaces or control characters; a secret is one word")
        return Secret(self.format.format(found))

    def _from_file(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            raise SecretUnreadable(f"{self} cannot be read: {error.strerror}") from None
        return self._decoded(content)

    def _from_command(self, command: tuple[str, ...]) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
                command, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise SecretUnreadable(f"{self} gave no answer within {COMMAND_TIMEOUT_S} s") from None
        except (OSError, ValueError):
            raise SecretUnreadable(f"{self} cannot be started") from None
        if done.returncode != 0:
            # What it printed may hold the secret, so it is not repeated.
            raise SecretUnreadable(f"{self} ended with exit code {done.returncode}")
        return self._decoded(done.stdout)

    def _decoded(self, content: bytes) -> str:
        if len(content) > SECRET_BYTES_MAX:
            raise SecretUnreadable(
                f"{self} is larger than {SECRET_BYTES_MAX // 1024} KiB; that is not a secret"
            )
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise SecretUnreadable(f"{self} is not UTF-8 text") from None
