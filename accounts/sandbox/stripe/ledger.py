"""The balance: every movement of money is a balance transaction, and the balance is their sum."""

from collections import defaultdict

from accounts.sandbox import objects
from accounts.sandbox.world import Json, StripeAccount


def book(
    account: StripeAccount,
    type_: str,
    amount: int,
    currency: str,
    source: str,
    *,
    fee: int = 0,
    category: str | None = None,
) -> Json:
    """Writes a movement; money that comes in is available later, money that leaves is gone at once."""
    now = account.world.clock.now()
    transaction = objects.balance_transaction(
        account.world.new_id("txn"),
        created=now,
        amount=amount,
        currency=currency,
        type=type_,
        source=source,
        fee=fee,
        reporting_category=category,
    )
    if amount < 0:
        transaction["available_on"] = now
    if transaction["available_on"] > now:
        transaction["status"] = "pending"
        account.world.clock.at(transaction["available_on"], lambda: _become_available(account, transaction))
    return account.put(transaction)


def _become_available(account: StripeAccount, transaction: Json) -> None:
    account.put(transaction | {"status": "available"})


def balance(account: StripeAccount) -> Json:
    now = account.world.clock.now()
    available: dict[str, int] = defaultdict(int, {account.currency: 0})
    pending: dict[str, int] = defaultdict(int, {account.currency: 0})
    for each in account.newest_first("balance_transaction"):
        side = available if each["available_on"] <= now else pending
        side[each["currency"]] += each["net"]
    return objects.balance(available=available, pending=pending, livemode=account.livemode)
