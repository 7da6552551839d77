"""What can happen to a small world and to the daemon that watches it: one step each, in whatever order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hypothesis import strategies as st

from accounts.sandbox.business.billing import newest_paid
from accounts.sandbox.business.records import moment
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute, refund, warn
from daemon.store.db import Store
from tests.loop.whole import Whole, dying

ACCOUNTS: Final = ("acme-eu", "acme-us")
CUSTOMERS: Final = 6
STATUSES: Final = ("active", "past_due", "canceled", "unpaid", "trialing", "paused")
DISPUTED: Final = ("needs_response", "under_review", "won", "lost", "warning_closed")

DEADLY: Final = ("look", "look", "sweep", "crm_pass", "product_pass")

Hearing = Literal["heard", "lost", "twice", "late"]


@dataclass(slots=True)
class History:
    """A rig, and the events that are still on their way."""

    rig: Whole
    late: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens; its text is what hypothesis shows of a history that breaks the rule."""

    name: str
    arguments: tuple[Any, ...]

    def take(self, history: History) -> None:
        STEPS[self.name](history, *self.arguments)


def subscription(history: History, account: str, number: int, status: str, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        for each in list(shop.account.newest_first("subscription", customer=_customer(shop, number)))[:1]:
            over = status == "canceled"
            ended = {"canceled_at": shop.now if over else None, "ended_at": shop.now if over else None}
            told = "customer.subscription.deleted" if over else "customer.subscription.updated"
            shop.change("subscription", each["id"], told, status=status, **ended)

    _happen(history, account, do, hearing)


def seats(history: History, account: str, number: int, quantity: int, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        for each in list(shop.account.newest_first("subscription", customer=_customer(shop, number)))[:1]:
            items = each["items"] | {"data": [one | {"quantity": quantity} for one in each["items"]["data"]]}
            shop.change("subscription", each["id"], "customer.subscription.updated", items=items)

    _happen(history, account, do, hearing)


def gives_back(history: History, account: str, number: int, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        for each in shop.account.newest_first("charge", customer=_customer(shop, number)):
            if each["paid"] and not each["amount_refunded"]:
                refund(shop, newest_paid(shop, each["customer"]), ago_s=0)
            return

    _happen(history, account, do, hearing)


def disputes(history: History, account: str, number: int, due_in_days: int | None, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        customer = _customer(shop, number)
        if any(each["paid"] for each in shop.account.newest_first("charge", customer=customer)):
            due_by = None if due_in_days is None else shop.now + due_in_days * DAY_S
            dispute(shop, newest_paid(shop, customer), due_by=due_by, ago_s=0)

    _happen(history, account, do, hearing)


def dispute_moves(history: History, account: str, status: str, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        for each in list(shop.account.newest_first("dispute"))[:1]:
            shop.change("dispute", each["id"], "charge.dispute.updated", status=status)

    _happen(history, account, do, hearing)


def warns(history: History, account: str, number: int, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        customer = _customer(shop, number)
        if any(each["paid"] for each in shop.account.newest_first("charge", customer=customer)):
            warn(shop, newest_paid(shop, customer), ago_s=0)

    _happen(history, account, do, hearing)


def invoice(history: History, account: str, number: int, paid: bool, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        for each in list(shop.account.newest_first("invoice", customer=_customer(shop, number)))[:1]:
            told = "invoice.paid" if paid else "invoice.payment_failed"
            status = "paid" if paid else "open"
            tried = each["attempt_count"] + 1
            shop.change("invoice", each["id"], told, status=status, attempt_count=tried, attempted=True)

    _happen(history, account, do, hearing)


def leaves_stripe(history: History, account: str, number: int, hearing: Hearing) -> None:
    def do(shop: Shop) -> None:
        customer = _customer(shop, number)
        gone = shop.account.get("customer", customer)
        if gone is not None:
            for each in list(shop.account.newest_first("subscription", customer=customer)):
                over: dict[str, Any] = {"status": "canceled", "canceled_at": shop.now, "ended_at": shop.now}
                shop.change("subscription", each["id"], "customer.subscription.deleted", **over)
            shop.account.delete("customer", customer)
            shop.tell("customer.deleted", gone, shop.now)

    _happen(history, account, do, hearing)


def crm(history: History, number: int, changes: Mapping[str, Any]) -> None:
    _edit(history, "crm", number, changes)


def product(history: History, number: int, changes: Mapping[str, Any]) -> None:
    _edit(history, "entitlements", number, changes)


def crm_forgets(history: History, number: int) -> None:
    _forget(history, "crm", number)


def product_forgets(history: History, number: int) -> None:
    _forget(history, "entitlements", number)


def look(history: History) -> None:
    history.rig.rest()


def time_passes(history: History, minutes: int) -> None:
    history.rig.sandbox.advance(f"{minutes}m")


def late_events_come(history: History) -> None:
    """The newest first, as it may be."""
    while history.late:
        history.rig.take_in(history.late.pop())


def sweep(history: History, account: str) -> None:
    history.rig.read_stripe(account)


def crm_pass(history: History) -> None:
    history.rig.read_records()


def product_pass(history: History) -> None:
    history.rig.read_entitlements()


def dies(history: History, doing: str, account: str, commits: int, kept: bool) -> None:
    """It is killed in the middle of something, just before one of its commits or just after it; and starts again."""
    arguments = (account,) if doing == "sweep" else ()
    with dying(Store, commits, kept=kept):
        STEPS[doing](history, *arguments)
    restart(history)


def stripe_fails(history: History, account: str, fails: bool) -> None:
    history.rig.on(account, lambda shop: setattr(shop.account.faults, "outage", "503" if fails else ""))


def crm_fails(history: History, fails: bool) -> None:
    history.rig.sandbox.world.crm_dials.fault = "down" if fails else None


def product_fails(history: History, fails: bool) -> None:
    history.rig.sandbox.world.product_dials.fault = "error" if fails else None


def restart(history: History) -> None:
    history.rig.start_again()


def end(history: History) -> None:
    """Everything works again, what is still on its way is lost, and the world rests."""
    history.late.clear()
    for account in ACCOUNTS:
        stripe_fails(history, account, False)
    crm_fails(history, False)
    product_fails(history, False)
    for _ in range(2):  # the second time, all that changed in the meantime has settled
        time_passes(history, 30)
        history.rig.read_everything()
        history.rig.rest()


STEPS: Final[dict[str, Callable[..., None]]] = {
    each.__name__: each
    for each in (
        subscription, seats, gives_back, disputes, dispute_moves, warns, invoice, leaves_stripe, crm, product,
        crm_forgets, product_forgets, look, time_passes, late_events_come, sweep, crm_pass, product_pass,
        stripe_fails, crm_fails, product_fails, restart, dies,
    )
}  # fmt: skip


def _customer(shop: Shop, number: int) -> str:
    """The account's customers in the order in which the sandbox made them; a deleted one stays who it was."""
    known = sorted(each["id"] for each in shop.account.newest_first("subscription"))
    if not known:
        return ""
    one = shop.account.get("subscription", known[number % len(known)])
    return str(one["customer"]) if one is not None else ""


def _happen(history: History, account: str, do: Callable[[Shop], None], hearing: Hearing) -> None:
    rig = history.rig
    rig.on(account, do)
    told = rig.told()
    match hearing:
        case "heard":
            rig.take_in(*told)
        case "twice":
            rig.take_in(*told)
            history.late += told
        case "late":
            history.late += told
        case "lost":
            return


def _edit(history: History, table: str, number: int, changes: Mapping[str, Any]) -> None:
    rig = history.rig

    def do() -> None:
        rows = getattr(rig.sandbox.world, table)
        if not rows:
            return
        row = rows[number % len(rows)]
        wanted = dict(changes)
        if "stripe_customer" in wanted:  # somebody else's
            wanted["stripe_customer"] = rows[(number + 1) % len(rows)]["stripe_customer"]
        row |= wanted | {"updated": moment(rig.sandbox.world.clock.now())}

    rig.sandbox.on_loop(do)


def _forget(history: History, table: str, number: int) -> None:
    def do() -> None:
        rows = getattr(history.rig.sandbox.world, table)
        if len(rows) > 1:
            rows.pop(number % len(rows))

    history.rig.sandbox.on_loop(do)


_accounts = st.sampled_from(ACCOUNTS)
_numbers = st.integers(0, CUSTOMERS - 1)
_rows = st.integers(0, 2 * CUSTOMERS - 1)
_hearing = st.sampled_from(("heard", "heard", "lost", "twice", "late"))
_edits_of_crm = st.sampled_from(
    (
        {"status": "churned"}, {"status": "active"}, {"plan": "basic"}, {"plan": "pro"}, {"mrr": "1.00"},
        {"stripe_account": "acct_1SandboxAcmeUs"}, {"stripe_account": None}, {"stripe_customer": "another"},
    )
)  # fmt: skip
_edits_of_product = st.sampled_from(
    (
        {"status": "ended"}, {"status": "active"}, {"plan": "team"}, {"quantity": 4},
        {"stripe_customer": "another"}, {"stripe_account": None},
    )
)  # fmt: skip


def _step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(name), st.tuples(*arguments))


steps: Final = st.one_of(
    _step("subscription", _accounts, _numbers, st.sampled_from(STATUSES), _hearing),
    _step("seats", _accounts, _numbers, st.integers(1, 3), _hearing),
    _step("gives_back", _accounts, _numbers, _hearing),
    _step("disputes", _accounts, _numbers, st.sampled_from((1, 4, 30, None)), _hearing),
    _step("dispute_moves", _accounts, st.sampled_from(DISPUTED), _hearing),
    _step("warns", _accounts, _numbers, _hearing),
    _step("invoice", _accounts, _numbers, st.booleans(), _hearing),
    _step("leaves_stripe", _accounts, _numbers, _hearing),
    _step("crm", _rows, _edits_of_crm),
    _step("product", _rows, _edits_of_product),
    _step("crm_forgets", _rows),
    _step("product_forgets", _rows),
    _step("look"),
    _step("look"),
    _step("time_passes", st.sampled_from((1, 6, 11, 60))),
    _step("late_events_come"),
    _step("sweep", _accounts),
    _step("crm_pass"),
    _step("product_pass"),
    _step("stripe_fails", _accounts, st.booleans()),
    _step("crm_fails", st.booleans()),
    _step("product_fails", st.booleans()),
    _step("restart"),
    _step("dies", st.sampled_from(DEADLY), _accounts, st.integers(0, 12), st.booleans()),
)
