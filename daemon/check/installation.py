"""What belongs to no account: the database, the secret key, the policies, the platforms' secrets."""

from collections.abc import Iterator

from accounts.callbacks import is_a_secret
from accounts.configuration import SecretRef, SecretUnreadable
from daemon.actions import BY_NAME
from daemon.check.report import Finding
from daemon.core.policy import UnusablePolicy, read_policy, version_of
from daemon.settings import Settings
from daemon.store import people, policies, schema
from daemon.store.db import Store, open_store
from daemon.store.errors import StoreError
from daemon.store.schema import SchemaState
from daemon.wiring import secret_key


def check_installation(settings: Settings) -> Iterator[Finding]:
    yield from _accounts(settings)
    yield from _secret_key(settings)
    yield from _database(settings)
    yield from _policies(settings)
    yield from _other_secrets(settings)
    yield from _promised(settings)


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
        case SchemaState.CURRENT | SchemaState.SERVED:
            try:
                with open_store(settings.daemon.database.reveal()) as store:
                    yield from _people(store)
                    yield from _policies_in_force(store, settings)
            except StoreError as problem:
                yield Finding("problem", "daemon.database", str(problem))


def _people(store: Store) -> Iterator[Finding]:
    with store.reading() as session:
        everybody = people.everybody(session)
    if not [each for each in everybody if each.role == "admin" and each.disabled_at is None]:
        yield Finding(
            "warning",
            "users",
            "There is no admin yet, so changes of people and policies take effect without anybody's second look. "
            "`reconciled users add NAME --role admin` adds one; from two on, each confirms what the other wants.",
        )


def _policies_in_force(store: Store, settings: Settings) -> Iterator[Finding]:
    """A file that was changed and not activated looks as if it applied."""
    with store.reading() as session:
        in_force = {name: policies.active(session, name) for name in settings.policies}
    for name, path in settings.policies.items():
        active = in_force[name]
        try:
            version = version_of(path.read_bytes().decode())
        except (OSError, UnicodeDecodeError):
            continue  # which is a problem of its own
        if active is not None and active.hash != version:
            yield Finding(
                "warning",
                f"policies.{name}",
                f"{path} is not what is in force, which is version {active.hash[:12]}. "
                f"`reconciled policy activate {path}` puts the file in force, `policy show` prints what is.",
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
    if settings.notify.webhook:
        named += [("notify.webhook.secrets", each) for each in settings.notify.webhook.secrets]
    if settings.auth.oidc:
        named.append(("auth.oidc.client_secret", settings.auth.oidc.client_secret))
    for where, reference in named:
        try:
            secret = reference.read()
        except SecretUnreadable as problem:
            yield Finding("problem", where, f"It cannot be used: {problem}.")
        else:
            if where == "notify.webhook.secrets" and not is_a_secret(secret):
                yield Finding(
                    "problem", where, "A secret here is whsec_ and 24 random bytes or more in base64."
                )


def _promised(settings: Settings) -> Iterator[Finding]:
    """What is configured and not served, or names what there is not."""
    if settings.notify.slack:
        yield Finding(
            "warning",
            "notify.slack",
            "Nothing is sent to Slack yet; [notify.email] and [notify.webhook] are served. Nobody is told there.",
        )
    for to in sorted({route.to for route in settings.notify.routes}):
        if getattr(settings.notify, to) is None:
            sentence = f"A route leads to {to}, and there is no [notify.{to}]: nobody is told there."
            yield Finding("problem", "notify.routes", sentence)
    for name, mapped in settings.gate.actions.items():
        if mapped.action not in BY_NAME:
            yield Finding(
                "problem",
                f"gate.actions.{name}",
                f"“{mapped.action[:60]}” is no action; there are {', '.join(sorted(BY_NAME))}.",
            )
