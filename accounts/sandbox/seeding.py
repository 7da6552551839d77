"""Fills the pretend world: accounts and customers who agree, disagreements that should be found, and near misses.

All of it follows from the world's seed. What is planted is written down in `world.planted`, so that what a daemon finds
can be measured against what is there: the expected ones are all the cases that should stand once everything has settled
(under the default policy), the others are cases that may not.
"""

from collections.abc import Iterator
from itertools import chain, cycle, islice, zip_longest

from accounts.sandbox import objects
from accounts.sandbox.business.disagreements import DISAGREEMENTS
from accounts.sandbox.business.later import LATER
from accounts.sandbox.business.near_misses import NEAR_MISSES
from accounts.sandbox.business.opening import PLATFORM, open_account, openings
from accounts.sandbox.business.ordinary import ordinary
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.world import StripeAccount, World

# A story and a near miss in turn, so that a small world has of both.
STORIES = tuple(story for pair in zip_longest(DISAGREEMENTS, NEAR_MISSES) for story in pair if story)

STORIES_SHARE_MAX = 0.6  # of a small account's customers; the rest are ordinary ones
STORIES_SHARE = 0.2  # of a large account's


def plant(world: World, accounts: int = 3, customers: int = 50) -> None:
    """Opens the accounts and fills each with so many customers."""
    now = world.clock.now()
    opened = [open_account(world, opening, now) for opening in openings(accounts)]
    shops = [Shop(world, account, now) for account in opened if account.id != PLATFORM.id]
    stories = cycle(STORIES)
    for shop in shops:
        shop.peers = shops
    for shop in shops:
        for story in islice(stories, _stories_in(customers)):
            for each in shops:  # some stories happen in two accounts
                each.story = story.__name__
            story(shop)
        shop.story = ordinary.__name__
        while shop.account.count("customer") < customers:
            ordinary(shop)
        shop.pay_out()


def _stories_in(customers: int) -> int:
    return min(int(customers * STORIES_SHARE_MAX), max(len(STORIES), int(customers * STORIES_SHARE)))


def unfold(world: World) -> None:
    """What happens after the first look: comes with events, and is added to `world.planted`."""
    for account in planted_accounts(world):
        shop = Shop(world, account)
        for story in LATER:
            shop.story = story.__name__
            story(shop)


def planted_accounts(world: World) -> tuple[StripeAccount, ...]:
    """The accounts that have customers, so without the platform."""
    return tuple(account for account in world.accounts.values() if account.id != PLATFORM.id)


def listen(world: World, url: str) -> None:
    """Points every webhook endpoint at a daemon: `{url}/webhooks/stripe/{slug}`, and enables it."""
    for account in world.accounts.values():
        for endpoint in account.newest_first("webhook_endpoint"):
            address = f"{url.rstrip('/')}/webhooks/stripe/{account.slug}"
            account.put(endpoint | {"url": address, "status": "enabled"})


def plant_many_subscriptions(account: StripeAccount, count: int) -> None:
    """So many active subscriptions, one a second backwards from now, and nothing else: for measuring reads."""
    now = account.world.clock.now()
    price = next(chain(account.newest_first("price", lookup_key="pro_month"), account.newest_first("price")))
    item = objects.subscription_item(
        "si_many",
        created=now,
        subscription="sub_many",
        price=price,
        period=(now - 10 * DAY_S, now + 20 * DAY_S),
    )
    template = objects.subscription(
        "sub_many", created=now, customer="cus_many", items=[item], livemode=account.livemode
    )
    for number in _oldest_first(count):
        suffix = f"many{number:08d}"
        item["id"], item["subscription"] = f"si_{suffix}", f"sub_{suffix}"
        item["created"] = template["created"] = template["start_date"] = now - number
        template["id"], template["customer"] = f"sub_{suffix}", f"cus_{suffix}"
        template["items"]["url"] = f"/v1/subscription_items?subscription=sub_{suffix}"
        account.put(template)


def _oldest_first(count: int) -> Iterator[int]:
    """In the order of creation, which a shelf need not sort."""
    return reversed(range(count))
