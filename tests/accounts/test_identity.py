"""Whose key it is: proved in one of three ways, or not used."""

import httpx
import pytest

from accounts.budget import Purpose
from accounts.errors import Unauthorized, Unproven, Unreachable, WrongAccount
from accounts.facts import Address
from accounts.registry import Key
from accounts.stripe.decoding import Decoding
from accounts.stripe.identity import Proven, prove
from accounts.stripe.permissions import Permissions
from accounts.stripe.reads import Reader
from tests.accounts.building import ACCT, ELSEWHERE, HASH_KEY, Handler, connection, key, refusal, respond

KNOWN = Address("customer", "cus_1")
CUSTOMER = {"object": "customer", "id": "cus_1", "created": 1, "livemode": True}
BALANCE = {"object": "balance", "livemode": True, "available": [], "pending": []}


def says(account: str) -> str:
    return (
        f"The provided key 'rk_live_****' does not have the required permissions for this endpoint on account "
        f"'{account}'. Having the 'rak_accounts_kyc_basic_read' permission would allow this request to continue."
    )


def stripe(account: Handler, customer: Handler | None = None, balance: Handler | None = None) -> Handler:
    answers = {
        "/v1/account": account,
        "/v1/customers/cus_1": customer or (lambda request: respond(CUSTOMER)),
        "/v1/balance": balance or (lambda request: respond(BALANCE)),
    }
    return lambda request: answers[request.url.path](request)


def is_account(id_: str) -> Handler:
    return lambda request: respond({"object": "account", "id": id_})


SILENT = refusal(403, "more_permissions_required", "This key may not do that.")


def test_the_account_itself_says_so() -> None:
    proven = prove(connection(stripe(is_account(ACCT))), ACCT)
    assert (proven.by, proven.stripe_account, proven.account) == ("account", ACCT, "here")


def test_c5_a_key_that_may_not_read_the_account_is_proven_by_the_refusal() -> None:
    assert prove(connection(stripe(refusal(403, None, says(ACCT)))), ACCT).by == "refusal"


def test_a_known_object_proves_it_where_nothing_else_does() -> None:
    assert prove(connection(stripe(SILENT)), ACCT, KNOWN).by == "known object"


@pytest.mark.parametrize("account", [is_account(ELSEWHERE), refusal(403, None, says(ELSEWHERE))])
def test_c8_the_key_of_another_account_is_refused(account: Handler) -> None:
    with pytest.raises(WrongAccount, match=f"belongs to {ELSEWHERE}, not to {ACCT}"):
        prove(connection(stripe(account)), ACCT)


@pytest.mark.parametrize(
    ("customer", "known"),
    [
        (None, None),
        (refusal(404, "resource_missing"), KNOWN),
        (SILENT, KNOWN),
        (lambda request: respond({"id": "cus_1", "object": "customer", "deleted": True}), KNOWN),
        (None, Address("unheard_of", "x_1")),
        (None, Address("customer", "../balance")),
    ],
    ids=["nothing known", "not found", "not permitted", "deleted", "unknown type", "no id"],
)
def test_where_nothing_says_whose_it_is_it_is_not_proven(
    customer: Handler | None, known: Address | None
) -> None:
    with pytest.raises(Unproven, match="rak_accounts_kyc_basic_read"):
        prove(connection(stripe(SILENT, customer)), ACCT, known)


def test_a_live_key_that_opens_test_objects_is_refused() -> None:
    with pytest.raises(WrongAccount, match="not live"):
        prove(
            connection(stripe(SILENT, lambda request: respond(CUSTOMER | {"livemode": False}))), ACCT, KNOWN
        )


def test_a_key_that_stripe_does_not_know_is_unauthorized_and_an_outage_proves_nothing() -> None:
    with pytest.raises(Unauthorized):
        prove(connection(stripe(refusal(401))), ACCT)
    with pytest.raises(Unreachable):
        prove(connection(stripe(refusal(503))), ACCT)


def test_a_platforms_key_is_proven_as_the_platforms_and_must_open_the_account() -> None:
    platform = key(owner="acct_1Plat", on_behalf_of=ACCT)
    asked: list[tuple[str, str | None]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, request.headers.get("stripe-account")))
        return stripe(is_account("acct_1Plat"))(request)

    assert prove(connection(handler, by=platform), ACCT).key is platform
    assert asked == [("/v1/account", None), ("/v1/balance", ACCT)]


@pytest.mark.parametrize(
    ("platform", "balance", "expected"),
    [
        (is_account(ELSEWHERE), None, WrongAccount),
        (
            is_account("acct_1Plat"),
            refusal(403, "account_invalid", f"no access to account '{ACCT}'"),
            Unproven,
        ),
        (is_account("acct_1Plat"), lambda request: respond(BALANCE | {"livemode": False}), WrongAccount),
    ],
    ids=["another platform", "not connected", "other mode"],
)
def test_a_platforms_key_that_does_not_fit_is_not_used(
    platform: Handler, balance: Handler | None, expected: type[Exception]
) -> None:
    over = connection(stripe(platform, balance=balance), by=key(owner="acct_1Plat", on_behalf_of=ACCT))
    with pytest.raises(expected):
        prove(over, ACCT)


def test_a_platforms_key_that_may_not_read_the_balance_is_proven_all_the_same() -> None:
    over = connection(
        stripe(
            is_account("acct_1Plat"), balance=refusal(403, None, "Having the 'rak_balance_read' permission")
        ),
        by=key(owner="acct_1Plat", on_behalf_of=ACCT),
    )
    assert prove(over, ACCT).by == "account"


def test_an_account_that_is_not_the_platforms_is_not_opened_in_its_name() -> None:
    over = connection(stripe(is_account("acct_1Plat")), by=key(owner="acct_1Plat", on_behalf_of=ELSEWHERE))
    with pytest.raises(WrongAccount):
        prove(over, ACCT)


def test_nothing_is_read_with_another_key_than_the_proven_one() -> None:
    over = connection(stripe(is_account(ACCT)))
    other: Key = key()
    with pytest.raises(Unproven):
        Reader(over, Proven("here", ACCT, other, "account"), Permissions("here"), Decoding(HASH_KEY))


def test_what_a_proven_key_does_not_find_is_absent() -> None:
    over = connection(stripe(is_account(ACCT), refusal(404, "resource_missing")))
    read = Reader(over, prove(over, ACCT), Permissions("here"), Decoding(HASH_KEY))
    assert read.one(KNOWN, purpose=Purpose.LOOK) is None
