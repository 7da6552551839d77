"""What belongs to no account: the database, the secret key, the policies, the platforms' secrets."""

from collections.abc import Iterator

from accounts.configuration import SecretRef, SecretUnreadable
from daemon.check.report import Finding
from daemon.core.policy import UnusablePolicy, read_policy
from daemon.settings import Settings
from daemon.store import schema
from daemon.store.errors import StoreError
from daemon.store.schema import SchemaState
from daemon.wiring import secret_key


def check_installation(settings: Settings) -> Iterator[Finding]:
    yield from _accounts(settings)
    yield from _secret_key(settings)
    yield from _database(settings)
    yield from _policies(settings)
    yield from _other_secrets(settings)


def _accounts(settings: Settings) -> Iterator[Finding]:
    if not settings.accounts:
        yield Finding(
            "problem", "accounts", "There is no [[accounts]] table yet; add one for each Stripe account."
        )
    if settings.daemon.public_url is None and settings.accounts:
        yield Finding(
            "warning",
            "daemon.public_url",
            "It is not set, so Stripe cannot be told where to deliver webhooks, and messages have no links. "
            "Until then events are polled.",
        )


def _secret_key(settings: Settings) -> Iterator[Finding]:
    try:
        secret_key(settings)
    except SecretUnreadable as problem:
        yield Finding(
            "problem",
            "daemon.secret_key",
            f"It cannot be used: {problem}. `reconciled init` in an empty folder makes one; restore your copy "
            "if the database was used before.",
        )


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        found = schema.check(settings.daemon.database.reveal())
    except StoreError as problem:
        yield Finding("problem", "daemon.database", str(problem))
        return
    match found.state:
        case SchemaState.MISSING:
            yield Finding(
                "note", "daemon.database", "There is none yet; the first command that writes creates it."
            )
        case SchemaState.OLDER:
            yield Finding(
                "problem",
                "daemon.database",
                f"Its schema is {found.found} and this program needs {found.known}. Run `reconciled db upgrade`.",
            )
        case SchemaState.NEWER:
            yield Finding(
                "problem",
                "daemon.database",
                f"Its schema {found.found} is newer than this program, which knows {found.known}. "
                "Install the newer program.",
            )


def _policies(settings: Settings) -> Iterator[Finding]:
    for name, path in settings.policies.items():
        where = f"policies.{name}"
        try:
            read_policy(path.read_bytes().decode())
        except FileNotFoundError:
            yield Finding("problem", where, f"{path} does not exist. `reconciled init` writes one.")
        except OSError as error:
            yield Finding("problem", where, f"{path} cannot be read: {error.strerror}.")
        except UnicodeDecodeError:
            yield Finding("problem", where, f"{path} is not UTF-8 text.")
        except UnusablePolicy as unusable:
            yield from (Finding("problem", where, str(problem)) for problem in unusable.problems)


def _other_secrets(settings: Settings) -> Iterator[Finding]:
    """Secrets that no account's check reads."""
    named: list[tuple[str, SecretRef]] = [
        (f"platforms.{platform.id}.webhook_secrets", reference)
        for platform in settings.platforms
        for reference in platform.webhook_secrets
    ]
    if settings.notify.slack:
        named.append(("notify.slack.url", settings.notify.slack.url))
    if settings.notify.email and settings.notify.email.password:
        named.append(("notify.email.password", settings.notify.email.password))
    if settings.auth.oidc:
        named.append(("auth.oidc.client_secret", settings.auth.oidc.client_secret))
    for where, reference in named:
        try:
            reference.read()
        except SecretUnreadable as problem:
            yield Finding("problem", where, f"It cannot be used: {problem}.")
