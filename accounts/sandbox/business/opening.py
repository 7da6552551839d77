"""Opening the pretend accounts: which there are, their keys with just what each needs, endpoints, prices."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.sandbox import objects
from accounts.sandbox.business.shop import CUSTOMER_AGE_S, DAY_S
from accounts.sandbox.world import StripeAccount, World
from accounts.stripe.resources import EVENTS, read_permissions, write_permissions

PLATFORM_SLUG = "acme-platform"
BEFORE_BASIL = "2024-06-20"  # the default version of an account that never upgraded
AGE_S = CUSTOMER_AGE_S + 30 * DAY_S
PLANS = {
    "basic": Decimal(19),
    "pro": Decimal(49),
    "team": Decimal(149),
}  # a month, in a currency like the euro
FLOAT_MAJOR = 100_000  # on the balance from the beginning, so that refunds need not wait for money
YEAR_OF_MONTHS, MONTH_OF_WEEKS = 10, 4  # a year costs ten months, a week a quarter of one
SCALE = {"jpy": Decimal(150), "isk": Decimal(140), "kwd": Decimal("0.3"), "sek": Decimal(10)}


@dataclass(frozen=True, slots=True)
class Opening:
    slug: str
    country: str
    currency: str
    livemode: bool = True
    connected: bool = False  # has no keys of its own; the platform's open it
    api_version: str = objects.API_VERSION

    @property
    def id(self) -> str:
        return f"acct_1Sandbox{self.slug.title().replace('-', '')}"


OPENINGS = (
    Opening("acme-eu", "DE", "eur"),
    Opening("acme-us", "US", "usd", api_version=BEFORE_BASIL),
    Opening("acme-test", "DE", "eur", livemode=False),
    Opening("acme-jp", "JP", "jpy", connected=True),
    Opening("acme-kw", "KW", "kwd"),
    Opening("acme-uk", "GB", "gbp"),
    Opening("acme-is", "IS", "isk"),
    Opening("acme-ch", "CH", "chf", connected=True),
    Opening("acme-se", "SE", "sek"),
    Opening("acme-fr", "FR", "eur"),
    Opening("acme-ca", "CA", "cad"),
    Opening("acme-at", "AT", "eur"),
)
PLATFORM = Opening(PLATFORM_SLUG, "DE", "eur")

READS_ITSELF = "rak_accounts_kyc_basic_read"  # often not granted: then a 403 tells whose key it is
READ = frozenset(read_permissions(optional=True)) - {READS_ITSELF}
# Whoever acts reads once more what it acts on. The permission for files is not published; here it has this name.
ACT = frozenset((*write_permissions(), *read_permissions(), "rak_file_write"))
HEARD = tuple(event.name for event in EVENTS)


def openings(accounts: int) -> tuple[Opening, ...]:
    """The first so many accounts, then numbered ones; and the platform, if one of them is connected to it."""
    numbered = (Opening(f"acme-{number}", "DE", "eur") for number in range(len(OPENINGS) + 1, accounts + 1))
    wanted = (*OPENINGS[:accounts], *numbered)
    return (*wanted, PLATFORM) if any(each.connected for each in wanted) else wanted


def open_account(world: World, opening: Opening, now: int) -> StripeAccount:
    account = world.open_account(
        opening.id,
        opening.slug,
        livemode=opening.livemode,
        country=opening.country,
        currency=opening.currency,
        platform=PLATFORM.id if opening.connected else None,
        api_version=opening.api_version,
    )
    account.put(
        objects.account(
            opening.id,
            created=now - AGE_S,
            country=opening.country,
            currency=opening.currency,
            name=opening.slug,
        )
    )
    account.put(
        objects.balance_transaction(
            world.new_id("txn"),
            created=now - AGE_S,
            amount=objects.unit_amount(FLOAT_MAJOR, opening.currency),
            currency=opening.currency,
            type="topup",
            source=None,
        )
    )
    if not opening.connected:
        # Every other account may read itself, so that both ways of proving a key are walked.
        itself = {READS_ITSELF} if len(world.accounts) % 2 else set()
        account.add_key(key_of(account, "read"), READ | itself)
        account.add_key(key_of(account, "act"), ACT | itself)
        endpoint = objects.webhook_endpoint(
            world.new_id("we"),
            created=now - AGE_S,
            url="http://127.0.0.1:8787",  # until somebody listens; see `seeding.listen`
            enabled_events=list(HEARD),
            livemode=opening.livemode,
            status="disabled",
        )
        hidden = {"_secret": webhook_secret_of(account), "_connect": opening.slug == PLATFORM_SLUG}
        account.put(endpoint | hidden)
    _sell(world, account, now)
    return account


def key_of(account: StripeAccount, role: str) -> str:
    """The account's restricted key for reading or acting; the same in every world."""
    return f"rk_{'live' if account.livemode else 'test'}_sandbox_{account.slug.replace('-', '')}_{role}"


def webhook_secret_of(account: StripeAccount) -> str:
    return f"whsec_sandbox_{account.slug.replace('-', '')}"


def _sell(world: World, account: StripeAccount, now: int) -> None:
    """Three plans by month, year and week, and one that is billed by use; each gives a feature."""
    created, livemode, currency = now - AGE_S, account.livemode, account.currency
    for plan, a_month in PLANS.items():
        product = objects.product(world.new_id("prod"), created=created, name=plan.title(), livemode=livemode)
        account.put(product)
        monthly = a_month * SCALE.get(currency, Decimal(1))
        for interval, major in (
            ("month", monthly),
            ("year", monthly * YEAR_OF_MONTHS),
            ("week", monthly / MONTH_OF_WEEKS),
        ):
            amount = objects.unit_amount(major, currency)
            price = objects.price(
                world.new_id("price"),
                created=created,
                product=product["id"],
                currency=currency,
                unit_amount=amount - amount % 10,  # three-decimal amounts have to end in 0
                interval=interval,
                lookup_key=f"{plan}_{interval}",
                livemode=livemode,
            )
            account.put(price)
        account.put(
            objects.feature(world.new_id("feat"), name=plan.title(), lookup_key=plan, livemode=livemode)
        )
    usage = objects.product(world.new_id("prod"), created=created, name="Usage", livemode=livemode)
    account.put(usage)
    account.put(
        objects.price(
            world.new_id("price"),
            created=created,
            product=usage["id"],
            currency=currency,
            unit_amount=10,
            lookup_key="usage_month",
            meter=world.new_id("mtr"),
            livemode=livemode,
        )
    )
    account.put(objects.feature(world.new_id("feat"), name="Usage", lookup_key="usage", livemode=livemode))
