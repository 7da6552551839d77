"""Keys: whose they are, what they may do, and in which words Stripe says no."""

import base64

import pytest
import stripe

from accounts.sandbox.server import Sandbox
from tests.sandbox.shop import Shop, open_shop


def add_key(shop: Shop, *permissions: str) -> str:
    key = f"rk_live_limited{len(shop.account.keys):06d}{shop.account.slug}"
    shop.sandbox.on_loop(lambda: shop.account.add_key(key, frozenset(permissions)))
    return key


def test_a_key_is_taken_as_bearer_and_as_basic(shop: Shop) -> None:
    basic = base64.b64encode(f"{shop.key}:".encode()).decode()
    answered = shop.get("/v1/charges/ch_1")
    assert answered.status_code == 200
    with_basic = shop.get("/v1/charges/ch_1", Authorization=f"Basic {basic}")
    assert with_basic.json() == answered.json()


def test_no_key_an_unknown_key_and_nonsense_are_401(shop: Shop) -> None:
    for header in ("", "Bearer", "Basic !!!", "Bearer rk_live_nobody0000", "Digest x"):
        answered = shop.get("/v1/charges", Authorization=header)
        assert answered.status_code == 401
        assert answered.json()["error"]["type"] == "invalid_request_error"


def test_an_expired_key_says_so_and_shows_itself_only_masked(shop: Shop) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.keys[shop.key], "expired", True))
    with pytest.raises(stripe.AuthenticationError) as raised:
        shop.client().v1.charges.list()
    assert raised.value.error is not None
    assert raised.value.error.code == "api_key_expired"
    assert shop.key not in str(raised.value)
    assert shop.key[-4:] in str(raised.value)


def test_a_revoked_key_is_401_until_it_is_given_back(shop: Shop) -> None:
    shop.sandbox.on_loop(lambda: setattr(shop.account.keys[shop.key], "revoked", True))
    assert shop.get("/v1/charges").status_code == 401
    shop.sandbox.on_loop(lambda: setattr(shop.account.keys[shop.key], "revoked", False))
    assert shop.get("/v1/charges").status_code == 200


def test_a_missing_permission_is_named_together_with_the_account(shop: Shop) -> None:
    key = add_key(shop, "rak_charge_read")
    with pytest.raises(stripe.PermissionError) as raised:
        shop.client(key=key).v1.disputes.list()
    message = str(raised.value.user_message)
    assert message == (
        f"The provided key 'rk_live_{'*' * (len(key) - 8 - 6)}{key[-4:]}' does not have the required permissions for "
        f"this endpoint on account '{shop.account.id}'. Having the 'rak_dispute_read' permission would allow this "
        "request to continue."
    )
    assert raised.value.error is not None
    assert raised.value.error.code == "more_permissions_required"
    assert raised.value.request_id is not None


def test_alternatives_are_listed_in_the_plural(shop: Shop) -> None:
    key = add_key(shop, "rak_customer_read")
    message = shop.post("/v1/refunds", "charge=ch_1", key).json()["error"]["message"]
    assert "Having the 'rak_refund_write', 'rak_charge_write' permissions would allow" in message


def test_writing_implies_reading_but_not_the_other_way(shop: Shop) -> None:
    writer, reader = add_key(shop, "rak_dispute_write"), add_key(shop, "rak_dispute_read")
    assert shop.get("/v1/disputes/dp_1", writer).status_code == 200
    assert shop.post("/v1/disputes/dp_1", "metadata[a]=b&submit=false", reader).status_code == 403
    assert shop.post("/v1/disputes/dp_1", "metadata[a]=b&submit=false", writer).status_code == 200


def test_permission_is_asked_before_existence(shop: Shop) -> None:
    key = add_key(shop, "rak_refund_write")
    assert shop.post("/v1/disputes/dp_reconciled_probe", "metadata[a]=b", key).status_code == 403
    assert shop.post("/v1/refunds", "charge=ch_reconciled_probe", key).status_code == 400
    assert shop.post("/v1/refunds/re_reconciled_probe", "metadata[a]=b", key).status_code == 404


def test_a_permission_that_is_granted_later_works_at_once(shop: Shop) -> None:
    key = add_key(shop)
    assert shop.get("/v1/payouts", key).status_code == 403
    shop.sandbox.on_loop(
        lambda: setattr(shop.account.keys[key], "permissions", frozenset({"rak_payout_read"}))
    )
    assert shop.get("/v1/payouts", key).status_code == 200


def test_accounts_see_nothing_of_each_other(sandbox: Sandbox, shop: Shop) -> None:
    other = open_shop(sandbox)
    shop.client().v1.customers.delete("cus_1")
    assert other.get("/v1/customers/cus_1").json()["email"] == "ada@example.com"
    assert other.get("/v1/account").json()["id"] == other.account.id


class TestConnect:
    @pytest.fixture
    def connected(self, sandbox: Sandbox, shop: Shop) -> Shop:
        return open_shop(sandbox, platform=shop.account.id)

    @pytest.mark.parametrize("header", ["Stripe-Account", "Stripe-Context"])
    def test_a_platforms_key_opens_its_connected_accounts(
        self, header: str, shop: Shop, connected: Shop
    ) -> None:
        connected.change("charge", "ch_1", description="theirs")
        answered = shop.get("/v1/charges/ch_1", **{header: connected.account.id})
        assert answered.json()["description"] == "theirs"
        assert [each["id"] for each in shop.get("/v1/accounts").json()["data"]] == [connected.account.id]
        assert shop.get(f"/v1/accounts/{connected.account.id}").status_code == 200

    def test_what_is_written_through_a_platform_belongs_to_the_connected_account(
        self, shop: Shop, connected: Shop
    ) -> None:
        client = shop.client(account=connected.account.id)
        client.v1.refunds.create({"charge": "ch_1", "amount": 100})
        assert connected.look("charge", "ch_1")["amount_refunded"] == 100
        assert shop.look("charge", "ch_1")["amount_refunded"] == 0
        event = shop.sandbox.on_loop(lambda: next(connected.account.newest_first("event")))
        assert event["account"] == connected.account.id

    def test_any_other_account_is_refused(self, sandbox: Sandbox, shop: Shop) -> None:
        stranger = open_shop(sandbox)
        test_mode = open_shop(sandbox, livemode=False, platform=shop.account.id)
        for account in (stranger.account.id, test_mode.account.id, "acct_nobody"):
            answered = shop.get("/v1/charges", Stripe_Account=account)
            assert answered.status_code == 403
            assert answered.json()["error"]["code"] == "account_invalid"
            assert account in answered.json()["error"]["message"]

    def test_its_own_account_may_be_named(self, shop: Shop) -> None:
        assert shop.get("/v1/charges", Stripe_Account=shop.account.id).status_code == 200


def test_every_answer_carries_its_request_id_and_the_version_asked_for(shop: Shop) -> None:
    first = shop.get("/v1/charges", Stripe_Version="2026-09-30.endive")
    second = shop.get("/v1/charges/ch_gone")
    assert first.headers["stripe-version"] == "2026-09-30.endive"
    assert first.headers["request-id"].startswith("req_")
    assert first.headers["request-id"] != second.headers["request-id"]
    assert shop.get("/v1/charges").headers["stripe-version"] == shop.account.api_version


def test_a_version_that_is_no_date_is_refused(shop: Shop) -> None:
    assert "Invalid Stripe API version" in shop.get("/v1/charges", Stripe_Version="latest").text
