"""What [crm.*] and [entitlements.*] have in common: addresses, authentication, databases and files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from accounts.configuration import FilePath, SafeUrl, SecretRef, Section, safe_url

URL_PLACES = ("stripe_account", "cursor", "fields", "properties")  # what {…} in an address may name
_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|key|password|signature", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_READS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_IN_PROCESS = ("", ":memory:")  # databases that no other program can have filled


def places(template: str) -> set[str]:
    """The names in braces; raises ValueError where the braces are not names."""
    try:
        named = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template)]
    except ValueError:
        raise ValueError("a brace is open or closed that should not be") from None
    for name, spec, conversion in named:
        if name is not None and (spec or conversion or not name.isidentifier()):
            raise ValueError("braces hold one name each, such as {cursor}")
    return {name for name, _, _ in named if name is not None}


def only_places(template: str, allowed: Iterable[str]) -> str:
    """The template, if it names only these."""
    if unknown := places(template) - set(allowed):
        known = ", ".join(f"{{{name}}}" for name in allowed)
        raise ValueError(f"{{{min(unknown)}}} is unknown here; known are {known}")
    return template


def _endpoint(value: str) -> str:
    method, _, path = value.partition(" ")
    if method not in {"GET", "POST", "PATCH", "PUT"} or not path.startswith("/") or path.startswith("//"):
        raise ValueError('this is a method and a path, such as "GET /accounts/{key}"')
    return only_places(value, ("key", "stripe_account", "fields", "properties"))


def _read(value: str) -> str:
    if not value.startswith("GET ") or "key" not in places(value):
        raise ValueError('one row is read by GET and its key, such as "GET /accounts/{key}"')
    return value


def _query(value: str) -> str:
    if _READS.match(value) is None:
        raise ValueError("this is read from, so it begins with select (or with)")
    return value


def _statement(value: str) -> str:
    if _READS.match(value) is not None:
        raise ValueError("this is written with, so it does not begin with select")
    return value


def _database_url(value: str, info: ValidationInfo) -> str:
    try:
        url = make_url(value)
        url.get_dialect().import_dbapi()
    except NoSuchModuleError:
        raise ValueError("no database of this name is known to SQLAlchemy") from None
    except ArgumentError:
        raise ValueError("this is not a database address such as postgresql://user@host/name") from None
    except ImportError as missing:
        raise ValueError(f"the driver {missing.name} is not installed beside reconciled") from None
    if url.password is not None:
        raise ValueError('a password is never written into this file; add password = { env = "NAME" }')
    if url.get_backend_name() == "sqlite":
        database = url.database or ""
        if database in _IN_PROCESS or database.startswith("file:") or url.query:
            raise ValueError("a SQLite address names a file and nothing else, such as sqlite:///app.db")
        base = Path((info.context or {}).get("base", Path.cwd()))
        url = url.set(database=str(base / Path(database).expanduser()))
    return url.render_as_string(hide_password=False)  # it has none


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
ReadEndpoint = Annotated[Endpoint, AfterValidator(_read)]
Query = Annotated[str, AfterValidator(_query)]
Statement = Annotated[str, AfterValidator(_statement)]


def bound_names(statement: str) -> set[str]:
    """The parameters of an SQL statement, written `:name`."""
    return set(text(statement).compile().params)


def only_bound(statement: str, allowed: Iterable[str], what: str) -> None:
    if unknown := bound_names(statement) - set(allowed):
        raise ValueError(f"{what}: “:{min(unknown)}” is unknown; known are {', '.join(sorted(allowed))}")


class Basic(Section):
    """A user name and a password."""

    username: str = Field(pattern=r"^[^:\x00-\x1f]+$")
    password: SecretRef


class OAuth2(Section):
    """Client credentials; with a refresh token, that one is exchanged instead."""

    token_url: SafeUrl
    client_id: str | SecretRef
    client_secret: SecretRef
    refresh_token: SecretRef | None = None
    scope: str | None = None


class Auth(Section):
    basic: Basic | None = None
    oauth2: OAuth2 | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.basic is None) == (self.oauth2 is None):
            raise ValueError("name exactly one of basic and oauth2")
        return self


class FieldNames(Section):
    """Ours = theirs, dotted into tables and lists: `plan = "properties.plan"`, `owner = "owners.0.name"`."""

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, value: Any) -> Any:
        # A field of a preset is taken away by naming nothing.
        if isinstance(value, Mapping):
            return {name: theirs for name, theirs in value.items() if theirs != ""}
        return value

    def named(self) -> dict[str, str]:
        """Our name to theirs, for those that are mapped."""
        return {name: theirs for name, theirs in self if theirs is not None}


class Http(Section):
    """What every `type = "http"` has; pages are followed by cursor where `url` names one, else by address."""

    type: Literal["http"]
    url: str
    headers: dict[str, SecretRef | str] = Field(default={})
    auth: Auth | None = None
    items: str  # where the rows are, dotted; "" where the answer is itself the list
    next: str | None = None  # where the cursor or the next page's address is
    complete: str | None = None  # what must be true on the last page, where the source says so
    deleted: str | None = None  # what is true in a row that is no more
    read: ReadEndpoint | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        safe_url(self.url)
        only_places(self.url, URL_PLACES)
        if "cursor" in places(self.url) and self.next is None:
            raise ValueError("url has a {cursor}, so next says where the next one is found")
        for name, value in self.headers.items():
            if _HEADER_NAME.fullmatch(name) is None:
                raise ValueError("a header's name is letters, digits and dashes")
            if isinstance(value, str) and _SECRET_HEADER.search(name):
                raise ValueError(
                    f'the header {name} is never written into this file; name where it is: {{ env = "NAME" }}'
                )
            if isinstance(value, str) and not (value.isascii() and value.isprintable()):
                raise ValueError(f"the header {name} holds characters that cannot be sent")
        if self.auth is not None and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("name auth or the header Authorization, not both")
        return self


class Sql(Section):
    """What every `type = "sql"` has. The columns of `query` bear our names."""

    type: Literal["sql"]
    url: DatabaseUrl
    password: SecretRef | None = None
    query: Query
    read: Query | None = None

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        only_bound(self.query, ("stripe_account",), "query")
        if self.read is not None:
            only_bound(self.read, ("key", "stripe_account"), "read")
            if "key" not in bound_names(self.read):
                raise ValueError("read names the row by :key")
        return self


class Csv(Section):
    """What every `type = "csv"` has. Without fields, its columns bear our names."""

    type: Literal["csv"]
    path: FilePath
    delimiter: str = Field(default=",", pattern=r'^[^\r\n"]$')
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _known_encoding(self) -> Self:
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError("encoding is not one that Python knows") from None
        return self


def deep_merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Both, where the second wins; tables are merged, everything else is replaced."""
    for name in under.keys() | over.keys():
        below, above = under.get(name), over.get(name, under.get(name))
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            above = dict(deep_merge(below, above))
        yield name, above
