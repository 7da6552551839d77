"""One account with at least one object of every class, small enough to know by heart."""

import ssl
from itertools import count

import httpx
import stripe

from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount, World

DAY_S = 86_400
TIMEOUT_S = 20.0
TRUST = ssl.create_default_context()  # made once: httpx wants one even for plain http, and it takes its time
LINES = 25  # of the paid invoice
_numbers = count(1)


class Shop:
    """An account and its key, for tests: `shop.client()` is the official library, `shop.look` reads the world."""

    def __init__(self, sandbox: Sandbox, account: StripeAccount, key: str) -> None:
        self.sandbox = sandbox
        self.account = account
        self.key = key

    def client(
        self,
        *,
        key: str | None = None,
        version: str | None = None,
        account: str | None = None,
        http_client: stripe.HTTPClient | None = None,
    ) -> stripe.StripeClient:
        return stripe.StripeClient(
            key or self.key,
            base_addresses={"api": self.sandbox.url, "files": self.sandbox.url},
            http_client=http_client,
            max_network_retries=0,
            stripe_version=version,
            stripe_account=account,
        )

    def get(self, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        """A bare request, for what the library hides."""
        return self._request("GET", path, None, key, headers)

    def post(self, path: str, form: str = "", key: str | None = None, **headers: str) -> httpx.Response:
        return self._request("POST", path, form, key, headers)

    def _request(
        self, method: str, path: str, form: str | None, key: str | None, headers: dict[str, str]
    ) -> httpx.Response:
        named = {"authorization": f"Bearer {key or self.key}"}
        named |= {name.lower().replace("_", "-"): text for name, text in headers.items()}
        if form is not None:
            named |= {"content-type": "application/x-www-form-urlencoded"}
        return httpx.request(
            method, self.sandbox.url + path, content=form, headers=named, timeout=TIMEOUT_S, verify=TRUST
        )

    def look(self, cls: str, id_: str) -> objects.Object:
        found = self.sandbox.on_loop(lambda: self.account.get(cls, id_))
        assert found is not None, f"there is no {cls} {id_}"
        return found

    def put(self, obj: objects.Object) -> objects.Object:
        return self.sandbox.on_loop(lambda: self.account.put(obj))

    def change(self, cls: str, id_: str, **changes: object) -> objects.Object:
        return self.put(self.look(cls, id_) | changes)

    def count(self, cls: str) -> int:
        return self.sandbox.on_loop(lambda: self.account.count(cls))

    def events(self) -> list[str]:
        """The types of all events so far, in the order in which they happened."""
        types = self.sandbox.on_loop(lambda: [each["type"] for each in self.account.newest_first("event")])
        return types[::-1]

    def now(self) -> int:
        return self.sandbox.on_loop(self.sandbox.world.clock.now)


def open_shop(sandbox: Sandbox, *, livemode: bool = True, platform: str | None = None) -> Shop:
    number = next(_numbers)
    key = f"rk_{'live' if livemode else 'test'}_shop{number:012d}"

    def make() -> StripeAccount:
        account = sandbox.world.open_account(
            f"acct_shop{number}", f"shop{number}", livemode=livemode, platform=platform
        )
        account.add_key(key)
        stock(sandbox.world, account)
        return account

    return Shop(sandbox, sandbox.on_loop(make), key)


def stock(world: World, account: StripeAccount) -> None:
    now, put = world.clock.now(), account.put
    old = now - 10 * DAY_S
    put(objects.account(account.id, created=old, country="US", currency="usd", name="Shop"))
    put(objects.product("prod_1", created=old, name="Pro"))
    put(objects.product("prod_bare", created=old, name="Without prices"))
    price = put(
        objects.price(
            "price_1", created=old, product="prod_1", currency="usd", unit_amount=4900, lookup_key="pro_month"
        )
    )
    put(objects.price("price_2", created=old, product="prod_1", currency="usd", unit_amount=9900))
    put(objects.customer("cus_1", created=old, name="Ada", email="ada@example.com", currency="usd"))
    put(objects.payment_method("pm_1", created=old, customer="cus_1"))
    put(objects.payment_method("pm_2", created=old, customer="cus_1"))
    _subscriptions(account, price, old)
    _payments(account, old)
    _invoices(account, old)
    _troubles(account, now)
    _entitlements(account)
    put(objects.payment_link("plink_1", currency="usd"))
    put(
        objects.webhook_endpoint(
            "we_1", created=old, url="https://example.com/hook", enabled_events=["*"], status="disabled"
        )
    )
    put(
        objects.file(
            "file_1", created=old, purpose="dispute_evidence", size=100, filename="a.pdf", type="pdf"
        )
    )


def _subscriptions(account: StripeAccount, price: objects.Object, created: int) -> None:
    for id_, status in (("sub_1", "active"), ("sub_paused", "paused"), ("sub_canceled", "canceled")):
        item = objects.subscription_item(
            f"si_{id_}",
            created=created,
            subscription=id_,
            price=price,
            period=(created, created + 30 * DAY_S),
        )
        account.put(
            objects.subscription(
                id_,
                created=created,
                customer="cus_1",
                items=[item],
                status=status,
                default_payment_method="pm_1",
                latest_invoice="in_paid",
            )
        )


def _payments(account: StripeAccount, created: int) -> None:
    for number, status in ((1, "succeeded"), (2, "succeeded"), (3, "requires_capture"), (4, "failed")):
        captured = status == "succeeded"
        refused = status == "failed"
        account.put(
            objects.payment_intent(
                f"pi_{number}",
                created=created,
                amount=4900,
                currency="usd",
                customer="cus_1",
                payment_method="pm_1",
                latest_charge=f"ch_{number}",
                status="requires_payment_method" if refused else status,
                last_payment_error=objects.payment_error(code="card_declined", decline_code="lost_card")
                if refused
                else None,
            )
        )
        account.put(
            objects.charge(
                f"ch_{number}",
                created=created,
                amount=4900,
                currency="usd",
                customer="cus_1",
                payment_intent=f"pi_{number}",
                payment_method="pm_1",
                balance_transaction=f"txn_{number}" if captured else None,
                status="failed" if refused else "succeeded",
                captured=captured,
                amount_captured=4900 if captured else 0,
            )
        )
        if captured:
            account.put(
                objects.balance_transaction(
                    f"txn_{number}",
                    created=created,
                    amount=4900,
                    currency="usd",
                    type="charge",
                    source=f"ch_{number}",
                    fee=172,
                )
            )
    account.put(
        objects.refund(
            "re_1", created=created, amount=100, currency="usd", charge="ch_2", status="requires_action"
        )
    )
    account.put(
        objects.payout(
            "po_1",
            created=created,
            amount=100,
            currency="usd",
            balance_transaction=None,
            status="pending",
            automatic=False,
        )
    )


def _invoices(account: StripeAccount, created: int) -> None:
    subscription = account.get("subscription", "sub_1")
    assert subscription is not None
    item = subscription["items"]["data"][0]
    for id_, status, lines in (
        ("in_paid", "paid", LINES),
        ("in_open", "open", 1),
        ("in_refused", "open", 1),
        ("in_draft", "draft", 1),
    ):
        rows = [
            objects.invoice_line(
                f"il_{id_}_{number:02d}", invoice=id_, item=item, period=(created, created + DAY_S)
            )
            for number in range(lines)
        ]
        account.put(
            objects.invoice(
                id_,
                created=created,
                customer="cus_1",
                currency="usd",
                lines=rows,
                subscription="sub_1",
                status=status,
                default_payment_method="pm_1",
            )
        )
    for id_, invoice, intent, status in (
        ("inpay_1", "in_paid", "pi_1", "paid"),
        ("inpay_2", "in_refused", "pi_4", "open"),
    ):
        account.put(
            objects.invoice_payment(
                id_,
                created=created,
                invoice=invoice,
                payment_intent=intent,
                amount=4900,
                currency="usd",
                status=status,
            )
        )
    account.put(
        objects.credit_note(
            "cn_1",
            created=created,
            customer="cus_1",
            invoice="in_open",
            amount=100,
            currency="usd",
            lines=[objects.credit_note_line("cnli_1", amount=100, invoice_line=None)],
        )
    )


def _troubles(account: StripeAccount, now: int) -> None:
    account.put(
        objects.charge(
            "ch_disputed",
            created=now - DAY_S,
            amount=4900,
            currency="usd",
            customer="cus_1",
            disputed=True,
            review="prv_1",
        )
    )
    account.put(
        objects.dispute(
            "dp_1", created=now, amount=4900, currency="usd", charge="ch_disputed", due_by=now + 7 * DAY_S
        )
    )
    account.put(objects.early_fraud_warning("issfr_1", created=now, charge="ch_1", payment_intent="pi_1"))
    account.put(objects.review("prv_1", created=now, charge="ch_disputed"))


def _entitlements(account: StripeAccount) -> None:
    feature = account.put(objects.feature("feat_1", name="API", lookup_key="api"))
    account.put(objects.feature("feat_2", name="Reports", lookup_key="reports"))
    account.put(
        objects.active_entitlement("ent_1", feature="feat_1", lookup_key="api") | {"_customer": "cus_1"}
    )
    account.put(
        {
            "id": "prodft_1",
            "object": "product_feature",
            "entitlement_feature": feature,
            "livemode": True,
            "_product": "prod_1",
        }
    )
    account.emit("customer.updated", account.get("customer", "cus_1") or {}, {"name": "Ava"})
