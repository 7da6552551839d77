"""The account itself, the accounts connected to it, and the balance."""

from accounts.sandbox import objects
from accounts.sandbox.stripe import ledger
from accounts.sandbox.stripe.call import Answer, Call, reads
from accounts.sandbox.stripe.lists import Cursors, page_of_few
from accounts.sandbox.stripe.refusals import account_invalid
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json, StripeAccount

PERMISSIONS = BY_CLASS["account"].permissions


def _shown(account: StripeAccount) -> Json:
    return account.get("account", account.id) or objects.account(
        account.id,
        created=account.world.clock.now(),
        country=account.country,
        currency=account.currency,
        name=account.slug,
    )


def _retrieve(call: Call) -> Answer:
    call.params.finish()
    if not call.ids or call.id == call.account.id:
        return _shown(call.account)
    connected = call.world.accounts.get(call.id)
    if connected is None or connected.platform != call.account.id:
        raise account_invalid(call.key.value, call.id)
    return _shown(connected)


def _list(call: Call) -> Answer:
    cursors = Cursors.read(call.params)
    call.params.finish()
    connected = [_shown(each) for each in call.world.accounts.values() if each.platform == call.account.id]
    return page_of_few("account", "/v1/accounts", connected, cursors)


def _balance(call: Call) -> Answer:
    call.params.finish()
    return ledger.balance(call.account)


ENDPOINTS = (
    reads("/v1/account", "account", PERMISSIONS, _retrieve),
    reads("/v1/accounts", "account", PERMISSIONS, _list, listing=True),
    reads("/v1/accounts/{id}", "account", PERMISSIONS, _retrieve),
    reads("/v1/balance", "balance", BY_CLASS["balance"].permissions, _balance),
)
