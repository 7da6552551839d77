"""`reconciled.toml`: read as a whole, refused as a whole, with every problem at once.

The file names where secrets are and never holds one, so settings may be shown; the secrets themselves are read
by the registry when they are needed. Every field is documented where it is declared.
"""

import re
import tomllib
import typing
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo

from accounts.configuration import Duration, FilePath, SafeUrl, SecretRef, Section, SettleDuration, Slug
from accounts.crm.configuration import CrmSource
from accounts.entitlements.configuration import EntitlementSource
from accounts.errors import Misused
from accounts.registry import Account, Mode, Pace, Platform, Registry
from accounts.secret import Secret, redact
from daemon.core.problem import Problem, nearest

FILE_BYTES_MAX = 4 * 1024 * 1024  # a thousand accounts take half a megabyte


class Unusable(Misused):
    """The configuration cannot be used."""

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n  ".join([f"{path} cannot be used:", *map(str, problems)]))


def _listen_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError('an address to listen on is a host and a port, such as "127.0.0.1:8787"')
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(f'“{value[:60]}” is not a time zone; use a name such as "Europe/Berlin"') from None
    return value


def _plan_pattern(value: str) -> str:
    try:
        named = re.compile(value).groupindex
    except (re.error, OverflowError, RecursionError):
        raise ValueError("this is not a regular expression") from None
    if "plan" not in named:
        raise ValueError("the expression has a group named plan: (?P<plan>…)")
    return value


def _database_url(value: Any, info: ValidationInfo) -> Any:
    """A relative SQLite path starts at the configuration file; the whole is kept as a secret, for its password."""
    if not isinstance(value, str):
        return value
    if value.startswith("sqlite:///"):
        path = value.removeprefix("sqlite:///")
        if not path or path == ":memory:":
            raise ValueError("the database is a file: what is in memory is lost with the process")
        return Secret(f"sqlite:///{Path((info.context or {}).get('base', '.')) / path}")
    if value.startswith(("postgresql://", "postgres://")) and urlsplit(value).path.strip("/"):
        return Secret("postgresql://" + value.partition("://")[2])
    raise ValueError('the database is "sqlite:///file.db" or "postgresql://user@host/name"')


ListenAddress = Annotated[str, AfterValidator(_listen_address)]


class Tls(Section):
    """[daemon] metrics_tls: who shows the metrics has a certificate and, with `client_ca`, so has whoever asks."""

    certificate: FilePath
    key: FilePath
    client_ca: FilePath | None = None


class Daemon(Section):
    """[daemon]: this process."""

    database: Annotated[Secret, BeforeValidator(_database_url)] = Field(
        "sqlite:///reconciled.db", validate_default=True
    )
    listen: ListenAddress = "127.0.0.1:8787"
    public_url: SafeUrl | None = None  # how people reach the console; links in messages begin with it
    metrics: ListenAddress | Literal[""] = "127.0.0.1:9464"  # "" = on the main address
    metrics_tls: Tls | None = None  # only where metrics have an address of their own
    secret_key: SecretRef = Field({"file": "reconciled.key"}, validate_default=True)
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"  # business days and people; storage is UTC
    stripe_api: SafeUrl = "https://api.stripe.com"


class Defaults(Pace):
    """[defaults]: what every account inherits and may override."""

    poll: Duration = timedelta(seconds=60)
    sweep: Duration = timedelta(hours=6)
    records: Duration = timedelta(minutes=15)
    settle: SettleDuration = timedelta(minutes=10)
    mode: Mode = "observe"
    read_share: float = Field(0.2, gt=0, le=1)


class GateAction(Section):
    """[gate.actions.NAME]: how an agent's own name for an action and its fields map to ours."""

    action: str
    fields: dict[str, str] = {}


class Gate(Section):
    actions: dict[str, GateAction] = {}


class Plans(Section):
    """[plans]: how a Stripe price is named in the CRM and the product."""

    from_: Annotated[
        str, Field(alias="from", pattern=r"^(lookup_key|nickname|product|metadata\..{1,40})$")
    ] = "lookup_key"
    pattern: Annotated[str, AfterValidator(_plan_pattern)] | None = None
    map: dict[str, str] = {}  # price id = plan; wins


class Approvals(Section):
    undo: Duration = timedelta(seconds=10)
    expires: Duration = timedelta(minutes=30)  # counted from when it may execute
    cool_down: Duration = timedelta(minutes=60)  # solo mode


class Callbacks(Section):
    allow: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}(:\d{1,5})?$")], ...] = ()


class JournalHead(Section):
    file: FilePath
    every: Duration = timedelta(hours=1)


class Journal(Section):
    head: JournalHead | None = None


class SlackChannel(Section):
    url: SecretRef


class EmailChannel(Section):
    smtp: Annotated[str, Field(pattern=r"^smtps?://[^@\s]+$")]
    to: tuple[str, ...]
    sender: str | None = None  # reconciled@ the server's name, unless said otherwise
    user: str | None = None
    password: SecretRef | None = None


class WebhookChannel(Section):
    """A program that is told of cases: signed as Standard Webhooks has it, by each of the secrets."""

    url: SafeUrl
    secrets: Annotated[
        tuple[SecretRef, ...], Field(min_length=1)
    ]  # whsec_…; two while one takes the other's place


class Route(Section):
    """[[notify.routes]]: which cases go to which channel; the first match wins."""

    account: Slug | None = None
    kind: str | None = None
    severity: Literal["critical", "high", "normal", "low"] | None = None
    owner: str | None = None
    to: Literal["slack", "email", "webhook"]


class Notify(Section):
    slack: SlackChannel | None = None
    email: EmailChannel | None = None
    webhook: WebhookChannel | None = None
    routes: tuple[Route, ...] = ()


class Oidc(Section):
    issuer: SafeUrl
    client_id: str
    client_secret: SecretRef
    roles: dict[str, str] = {}


class Auth(Section):
    oidc: Oidc | None = None


class Settings(Section):
    """The whole of `reconciled.toml`."""

    daemon: Daemon = Field({}, validate_default=True)
    defaults: Defaults = Defaults()
    accounts: tuple[Account, ...] = ()
    platforms: tuple[Platform, ...] = ()
    crm: dict[Slug, CrmSource] = {}
    entitlements: dict[Slug, EntitlementSource] = {}
    gate: Gate = Gate()
    plans: Plans = Plans()
    policies: dict[Slug, FilePath] = Field({"default": "policy.toml"}, validate_default=True)
    approvals: Approvals = Approvals()
    callbacks: Callbacks = Callbacks()
    journal: Journal = Journal()
    notify: Notify = Notify()
    auth: Auth = Auth()

    def registry(self) -> Registry:
        return Registry(self.accounts, self.platforms)


def load(path: Path) -> Settings:
    """The settings in this file; raises Unusable with every problem there is."""
    raw = _parsed(path)
    context = {"base": path.absolute().parent}
    problems = list(_loose_ends(raw))
    settings = None
    try:
        settings = Settings.model_validate(_with_defaults(raw, context), context=context)
    except ValidationError as error:
        problems[:0] = _sentences(error, raw)
    if settings is None or problems:
        raise Unusable(path, tuple(dict.fromkeys(problems)))
    return settings


class Configuration:
    """The settings in force. A reload takes a new file whole, or keeps the old one and says why."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = load(path)
        self.registry = self.settings.registry()

    def reload(self) -> tuple[Problem, ...]:
        try:
            settings = load(self.path)
        except Unusable as error:
            return error.problems
        self.settings, self.registry = settings, settings.registry()
        return ()


def _parsed(path: Path) -> dict[str, Any]:
    def refused(sentence: str) -> Unusable:
        return Unusable(path, (Problem("", sentence),))

    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise refused("there is no such file; `reconciled init` writes one, --config names another") from None
    except OSError as error:
        raise refused(f"it cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise refused(f"it is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB; that is not a configuration")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise refused(f"it is not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # The message quotes at most one character of the file.
        raise refused(f"it is not TOML: {redact(str(error)) or 'nested too deeply'}") from None
    except ValueError:
        raise refused("it is not TOML: a number or a date in it is out of range") from None


def _tables(raw: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = raw.get(name)
    return [table for table in found if isinstance(table, dict)] if isinstance(found, list) else []


def _bad_fields(model: type[Section], table: object, context: dict[str, Path]) -> set[str | int]:
    try:
        model.model_validate(table, context=context)
    except ValidationError as error:
        return {problem["loc"][0] for problem in error.errors() if problem["loc"]}
    return set()


def _with_defaults(raw: dict[str, Any], context: dict[str, Path]) -> dict[str, Any]:
    """The tables with what they inherit. A bad default is reported once, where it stands, not per account."""

    def given(name: str, model: type[Section], fields: Iterable[str]) -> dict[str, Any]:
        table = raw.get(name)
        if not isinstance(table, dict):
            return {}
        bad = _bad_fields(model, table, context)
        return {field: table[field] for field in fields if field in table and field not in bad}

    base = {"stripe_api": Daemon.model_fields["stripe_api"].default} | given("daemon", Daemon, ["stripe_api"])
    paced = base | Defaults().model_dump() | given("defaults", Defaults, Defaults.model_fields)
    return raw | {
        name: [inherited | table if isinstance(table, dict) else table for table in raw[name]]
        for name, inherited in (("accounts", paced), ("platforms", base))
        if isinstance(raw.get(name), list)
    }


def _loose_ends(raw: dict[str, Any]) -> Iterator[Problem]:
    """Names that must fit together across tables; read leniently, so that one typo hides no other."""
    accounts, platforms = _tables(raw, "accounts"), _tables(raw, "platforms")
    for field in ("id", "stripe_account"):
        # A path such as /webhooks/stripe/{account} must name one account or platform.
        seen: set[str] = set()
        for where, table in [("accounts", a) for a in accounts] + [("platforms", p) for p in platforms]:
            value = table.get(field)
            if isinstance(value, str) and value in seen:
                yield Problem(
                    f"{where}.{table.get('id', '?')}.{field}", f"“{value}” is taken; each is named once"
                )
            seen.add(str(value))
    known: dict[str, Iterable[str]] = {
        "crm": raw.get("crm") or {},
        "entitlements": raw.get("entitlements") or {},
        "policy": raw.get("policies") or {"default"},
        "platform": [str(platform.get("id")) for platform in platforms],
    }
    modes = {str(platform.get("id")): platform.get("livemode") for platform in platforms}
    for account in accounts:
        where = f"accounts.{account.get('id', '?')}"
        for field, names in known.items():
            value = account.get(field)
            if isinstance(value, str) and value not in names:
                section = {"policy": "policies", "platform": "platforms"}.get(field, field)
                yield Problem(f"{where}.{field}", f"“{value}” is not in [{section}]{nearest(value, names)}")
        platform = account.get("platform")
        if isinstance(platform, str) and platform in modes and modes[platform] != account.get("livemode"):
            yield Problem(
                f"{where}.livemode", f"it differs from that of its platform “{platform}”; modes never mix"
            )


def _sentences(error: ValidationError, raw: dict[str, Any]) -> Iterator[Problem]:
    for problem in error.errors(include_url=False, include_input=False):
        location = problem["loc"]
        where = _where(location, raw)
        match problem["type"]:
            case "extra_forbidden":
                name = str(location[-1])
                yield Problem(where, f"this key is unknown{nearest(name, _known_names(location[:-1]))}")
            case "missing":
                yield Problem(where, "this key is missing")
            case "value_error":
                yield Problem(where, redact(str(problem["ctx"]["error"])))
            case _:
                yield Problem(where, redact(problem["msg"][0].lower() + problem["msg"][1:]))


def _where(location: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """`accounts.acme-eu.poll` rather than `accounts.0.poll`; a table without a usable id keeps its number."""
    parts: list[str] = []
    at: Any = raw
    for part in location:
        beyond = at
        if isinstance(at, dict):
            at = at.get(str(part))
            if at is None and beyond and part in {"http", "sql", "csv"}:
                at = beyond  # the tag of a source's type, which stands in no file
                continue
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
        named = at.get("id") if isinstance(part, int) and isinstance(at, dict) else None
        parts.append(redact(str(named if isinstance(named, str) else part))[:80])
    return ".".join(parts)


def _known_names(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at this place knows, found by walking the declarations."""
    sections: list[type[Section]] = [Settings]
    for part in location:
        annotations = [
            field.annotation
            for section in sections
            for name, field in section.model_fields.items()
            if (field.alias or name) == part
        ]
        tagged = [section for section in sections if _tag(section) == part]
        if annotations:
            sections = [inner for annotation in annotations for inner in _sections(annotation)]
        elif tagged:
            sections = tagged
        # Anything else is a position in a list or a name the operator chose: the sections stay.
    return [field.alias or name for section in sections for name, field in section.model_fields.items()]


def _tag(section: type[Section]) -> str | None:
    kind = section.model_fields.get("type")
    return next(iter(typing.get_args(kind.annotation)), None) if kind else None


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)
