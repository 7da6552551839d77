"""What the CRM and the product keep of a customer: in agreement with Stripe, unless told otherwise."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.money import exponent
from accounts.sandbox import objects
from accounts.sandbox.business.billing import Subscribed
from accounts.sandbox.business.shop import DAY_S, Shop

OWNERS = ("robin", "sascha", "toni", "kim")
SEGMENTS = ("self-serve", "mid-market", "enterprise")
RECORDED_AGO_S = 10 * DAY_S  # long settled, unless a story says otherwise

# The words a salesperson would use: `active` and `trial` count as a customer, `churned` as a lost one.
CRM_WORDS = {
    "active": "active",
    "past_due": "active",
    "trialing": "trial",
    "paused": "paused",
    "canceled": "churned",
}


def record(shop: Shop, customer: str, *subscriptions: Subscribed, **changes: Any) -> str:
    """The CRM's record of a customer with these subscriptions; then the changes. Gives its key."""
    first = subscriptions[0] if subscriptions else None
    currency = first.price["currency"] if first else shop.account.currency
    monthly = sum((each.monthly() for each in subscriptions if each.status == "active"), Decimal(0))
    renewal = max((each.latest.created for each in subscriptions), default=shop.now) + 30 * DAY_S
    words = {CRM_WORDS.get(each.status, "prospect") for each in subscriptions}
    made = {
        "key": shop.id("crm"),
        "stripe_customer": customer,
        "stripe_account": shop.account.id,
        "name": shop.names.get(customer, "Somebody"),
        "owner": shop.world.rng.choice(OWNERS),
        "segment": shop.world.rng.choice(SEGMENTS),
        "status": next((word for word in CRM_WORDS.values() if word in words), "prospect"),
        "plan": first.plan if first else None,
        "mrr": major(monthly, currency),
        "currency": currency.upper(),
        "renewal": datetime.fromtimestamp(renewal, UTC).date().isoformat(),
        "updated": moment(shop.now - RECORDED_AGO_S),
    }
    shop.world.crm.append(made | changes)
    return str(made["key"])


def entitle(shop: Shop, subscribed: Subscribed, **changes: Any) -> str:
    """What the product gives for a subscription, and what Stripe says that it should. Gives its key."""
    live = subscribed.status in ("active", "trialing", "past_due")
    made = {
        "key": shop.id("ent"),
        "stripe_customer": subscribed.customer,
        "stripe_account": shop.account.id,
        "feature": "app",
        "plan": subscribed.plan,
        "status": "active" if live else "ended",
        "quantity": subscribed.quantity,
        "expires_at": None,
        "updated": moment(shop.now - RECORDED_AGO_S),
    }
    shop.world.entitlements.append(made | changes)
    if live:
        feature = shop.features[subscribed.plan]
        granted = objects.active_entitlement(
            shop.id("entl"),
            feature=feature["id"],
            lookup_key=feature["lookup_key"],
            livemode=shop.account.livemode,
        )
        shop.account.put(granted | {"_customer": subscribed.customer})
    return str(made["key"])


def major(minor: Decimal, currency: str) -> str:
    """An amount as people write it: 149.00, or 14900 where the currency has no decimals."""
    digits = exponent(currency)
    return str(minor.scaleb(-digits).quantize(Decimal(1).scaleb(-digits)))


def moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
