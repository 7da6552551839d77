"""A complete configuration for a daemon that works on the pretend world: `reconciled --config D/reconciled.toml …`."""

import base64
import os
import secrets
from pathlib import Path

from accounts.sandbox import crm, product
from accounts.sandbox.business.opening import PLATFORM, key_of, webhook_secret_of
from accounts.sandbox.records import CRM_NAMES, ENTITLEMENT_NAMES
from accounts.sandbox.world import StripeAccount, World

SECRETS = "secrets"
KEY_BYTES = 32

POLICY = """\
[grace]
past_due = "7d"

[tolerance]
revenue = { absolute = "1.00", relative = 0.05 }

[deadlines]
windows = ["7d", "72h", "24h"]
business_days = true

[[approve]]
action = "refund"
over = "500 EUR"
approvers = 2

[[approve]]
action = "refund"
approvers = 1

[[approve]]
action = "dispute_evidence"
approvers = 1
roles = ["disputes"]
"""

HEAD = """\
# The pretend world at {url}: nothing in it is real, and its keys open nothing else.

[daemon]
database = "sqlite:///reconciled.db"
listen = "{listen}"
public_url = "http://{listen}"
metrics = ""
secret_key = {{ file = "reconciled.key" }}
timezone = "Europe/Berlin"
stripe_api = "{url}"

[defaults]
mode = "{mode}"

[policies]
default = "policy.toml"

[plans]
from = "lookup_key"
pattern = "^(?P<plan>.+)_(month|year|week)$"

[crm.pretend]
type = "http"
url = "{url}/crm/accounts?account={{stripe_account}}&cursor={{cursor}}"
headers = {{ Authorization = {{ file = "{secrets}/crm", format = "Bearer {{}}" }} }}
items = "data"
next = "next_cursor"
amounts = "major"
churned_states = ["churned"]
active_states = ["active", "trial"]
read = "GET /crm/accounts/{{key}}"
write = {{ update = "PATCH /crm/accounts/{{key}}", task = "POST /crm/tasks" }}
fields = {{ {crm_fields} }}

[entitlements.app]
type = "http"
url = "{url}/product/entitlements?account={{stripe_account}}&cursor={{cursor}}"
headers = {{ Authorization = {{ file = "{secrets}/product", format = "Bearer {{}}" }} }}
items = "data"
next = "next_cursor"
access_states = ["active", "grace"]
read = "GET /product/entitlements/{{key}}"
write = {{ update = "PATCH /product/entitlements/{{key}}", insert = "POST /product/entitlements" }}
fields = {{ {entitlement_fields} }}
"""

ACCOUNT = """
[[accounts]]
id = "{slug}"
stripe_account = "{id}"
livemode = {livemode}
{keys}
crm = "pretend"
entitlements = "app"
policy = "default"
"""

PLATFORM_TABLE = """
[[platforms]]
id = "{slug}"
stripe_account = "{id}"
livemode = {livemode}
{keys}
"""


def configuration(
    world: World, url: str, directory: Path, *, listen: str = "127.0.0.1:8787", mode: str = "act"
) -> str:
    """Writes reconciled.toml, policy.toml and every secret they name into the directory; gives the first's text.

    The key that encrypts personal detail is made once and then left alone: without it an older database is lost.
    """
    kept = directory / SECRETS
    kept.mkdir(parents=True, exist_ok=True)
    _write_secret(kept / "crm", crm.TOKEN)
    _write_secret(kept / "product", product.TOKEN)
    key = directory / "reconciled.key"
    if not key.exists():
        _write_secret(key, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode())
    head = HEAD.format(
        url=url.rstrip("/"),
        listen=listen,
        mode=mode,
        secrets=SECRETS,
        crm_fields=_inline(CRM_NAMES),
        entitlement_fields=_inline(ENTITLEMENT_NAMES),
    )
    text = head + "".join(_table(account, kept) for account in world.accounts.values())
    (directory / "policy.toml").write_text(POLICY, encoding="utf-8")
    (directory / "reconciled.toml").write_text(text, encoding="utf-8")
    return text


def _table(account: StripeAccount, kept: Path) -> str:
    template = PLATFORM_TABLE if account.id == PLATFORM.id else ACCOUNT
    keys = f'platform = "{PLATFORM.slug}"' if account.platform else _keys(account, kept)
    livemode = str(account.livemode).lower()
    return template.format(slug=account.slug, id=account.id, livemode=livemode, keys=keys)


def _keys(account: StripeAccount, kept: Path) -> str:
    for role in ("read", "act"):
        _write_secret(kept / f"{account.slug}-{role}", key_of(account, role))
    _write_secret(kept / f"{account.slug}-webhook", webhook_secret_of(account))
    named = f"{SECRETS}/{account.slug}"
    return (
        f'read_key = {{ file = "{named}-read" }}\n'
        f'act_key = {{ file = "{named}-act" }}\n'
        f'webhook_secrets = [ {{ file = "{named}-webhook" }} ]'
    )


def _inline(names: dict[str, str]) -> str:
    return ", ".join(f'{ours} = "{theirs}"' for ours, theirs in names.items())


def _write_secret(path: Path, value: str) -> None:
    # Never readable by others, not even between being made and being closed to them.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(value + "\n")
