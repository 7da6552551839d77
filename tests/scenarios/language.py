"""The small language of the scenarios: sentences that an accountant reads, each of one fixed form.

A scenario is a heading and lines. Before the colon stands who says it:

    Stripe: sub_1 is active: pro, 20.00 EUR a month × 3; collection paused
    Stripe: invoice in_1 of sub_1 over 20.00 EUR is open since 2026-01-01
    Stripe: payment ch_1 of 20.00 EUR on 2026-01-05, refunded whole
    Stripe: dispute dp_1 of ch_1 is lost
    Stripe: cus_1 was deleted
    CRM: crm_1 says plan pro, status active, mrr 20.00
    Product: ent_1 gives pro × 3, until 2026-02-01
    Elsewhere: acct_2 uses salesforce
    Elsewhere: test accounts use the same CRM
    Policy: grace.past_due = "3d"
    Unread: disputes
    Changed: CRM crm_1 at 2026-01-10 11:55
    Read: CRM at 2026-01-10 11:58
    Now: 2026-01-10
    → plan_mismatch on sub_1: odd crm, 20.00 EUR, crm_update plan=pro
    → nothing
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.money import Money
from accounts.stripe.shapes import Discount
from accounts.stripe.shapes.billing import SubscriptionItem
from accounts.stripe.shapes.catalog import TransformQuantity
from daemon.core.model import GONE, CrmWords, Neighbour, Source
from tests.builders import ACME, NOW, Scene, coupon, customer, item, replace_struct

MONEY = r"[\d,.]+ [A-Z]{3}"
DAY = r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?"
SYSTEMS = {"Stripe": "stripe", "CRM": "crm", "Product": "entitlements"}


@dataclass(frozen=True)
class Expected:
    """A case that should stand. What the scenario does not say of it may be anything."""

    kind: str
    per: str
    odd: str | None = None
    amount: str | None = None
    severity: str | None = None
    action: str | None = None
    details: dict[str, str] = field(default_factory=dict)


@dataclass
class Scenario:
    file: str
    name: str
    scene: Scene = field(default_factory=customer)
    now: datetime = NOW
    policy: str = ""
    expected: list[Expected] = field(default_factory=list)
    settling: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    look_again: datetime | None = None
    lines: int = 0

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def scenarios(path: Path) -> Iterator[Scenario]:
    current: Scenario | None = None
    for line in path.read_text().splitlines():
        if line.startswith("## "):
            if current is not None:
                yield current
            current = Scenario(path.stem, line.removeprefix("## "))
        elif line.startswith("- ") and current is not None:
            _take(current, line.removeprefix("- "))
    if current is not None:
        yield current


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def money(text: str) -> Money:
    amount, _, currency = text.replace(",", "").partition(" ")
    return Money.from_major(amount, currency)


def _take(scenario: Scenario, line: str) -> None:
    scenario.lines += 1
    if line.startswith("→ "):
        _expect(scenario, line.removeprefix("→ "))
        return
    who, _, says = line.partition(": ")
    match who:
        case "Now":
            scenario.now = moment(says)
            scenario.scene.read_at |= dict.fromkeys(Source, scenario.now)
        case "Policy":
            scenario.policy += says + "\n"
        case "Unread":
            scenario.scene.unread |= {Source(name) for name in says.split(", ")}
        case "Incomplete":
            scenario.scene.incomplete |= {Source(name) for name in says.split(", ")}
        case "Plans":
            _name_plans(scenario.scene, says)
        case "Stripe":
            _only(says, STRIPE, scenario.scene)
        case "CRM":
            _only(says, CRM, scenario.scene)
        case "Product":
            _only(says, PRODUCT, scenario.scene)
        case "Elsewhere":
            _only(says, ELSEWHERE, scenario.scene)
        case "Changed":
            _only(says, CHANGED, scenario.scene)
        case "Read":
            _only(says, READ, scenario.scene)
        case _:
            raise AssertionError(f"nobody is called “{who}”")


def _only(sentence: str, forms: dict[str, Any], scene: Scene) -> None:
    for form, do in forms.items():
        found = re.fullmatch(form, sentence)
        if found is not None:
            do(scene, **found.groupdict())
            return
    raise AssertionError(f"no sentence of the scenarios has this form: {sentence}")


def _subscribe(scene: Scene, id: str, status: str, items: str, options: str | None) -> None:
    more: dict[str, Any] = {}
    coupons = []
    for option in (options or "").split("; ")[1:]:
        if option == "collection paused":
            more["paused"] = True
        elif option == "ends with its period":
            more["cancel_at_period_end"] = True
        elif found := re.fullmatch(rf"since (?P<since>{DAY})", option):
            more["since"] = moment(found["since"])
        else:
            coupons.append(_coupon(option))
    made = [_item(text) for text in items.split(" + ")]
    scene.paying(*made, id=id, status=status.replace(" ", "_"), discounts=coupons, **more)


def _coupon(text: str) -> Any:
    found = re.fullmatch(
        rf"(?P<off>[\d.]+ %|{MONEY}) off (?P<how>for ever|once|for a while|on terms unread)", text
    )
    assert found is not None, f"no discount has this form: {text}"
    durations = {"for ever": "forever", "once": "once", "for a while": "repeating", "on terms unread": None}
    duration = durations[found["how"]]
    name = re.sub(r"\W", "", text)
    if found["off"].endswith("%"):
        return coupon(name, duration, percent=found["off"].removesuffix(" %"))
    return coupon(name, duration, off=money(found["off"]))


def _item(text: str) -> SubscriptionItem:
    found = re.fullmatch(
        rf"(?P<plan>[\w-]+), (?P<amount>{MONEY}) (?:a|every (?P<count>\d+)) (?P<every>day|week|month|year)s?"
        r"(?P<kind>, metered|, tiered|, per 10 rounded up)?(?: × (?P<seats>\d+))?",
        text,
    )
    assert found is not None, f"no item has this form: {text}"
    every = (found["every"], int(found["count"] or 1))
    seats: int | None = int(found["seats"] or 1)
    more: dict[str, Any] = {}
    if found["kind"] == ", metered":
        more["usage_type"], seats = "metered", None
    elif found["kind"] == ", tiered":
        more["billing_scheme"], more["unit_amount"] = "tiered", None
    elif found["kind"]:
        more["transform_quantity"] = TransformQuantity(divide_by=10, round="up")
    return item(found["plan"], found["amount"].replace(",", ""), seats=seats, every=every, **more)


def _pay(scene: Scene, id: str, amount: str, on: str, then: str | None) -> None:
    paid = money(amount)
    more: dict[str, Any] = {}
    if then == "refunded whole":
        more = {"refunded": True, "amount_refunded": paid.amount_minor}
    elif then == "failed":
        more = {"paid": False, "captured": False, "status": "failed"}
    elif then == "only authorised":
        more = {"captured": False, "amount_captured": 0}
    elif then is not None:
        part = money(then.removeprefix("refunded "))
        more = {"amount_refunded": part.amount_minor}
    scene.paid(id, paid, moment(on), **more)


def _invoice(
    scene: Scene, id: str, subscription: str, amount: str, status: str, since: str, due: str
) -> None:
    more = {"due_date": int(moment(due).timestamp())} if due else {}
    scene.invoiced(id, subscription, money(amount), moment(since), status, **more)


def _dispute(scene: Scene, id: str, charge: str, status: str) -> None:
    scene.disputed(id, charge, status.replace(" ", "_"))


def _delete(scene: Scene, how: str) -> None:
    scene.deleted = how == "was deleted"
    scene.exists = False


def _discount_customer(scene: Scene, off: str) -> None:
    scene.discount = Discount(id="di_customer", coupon=_coupon(off))


def _file(scene: Scene, key: str, source: str | None, says: str) -> None:
    names = {
        "account": "stripe_account",
        "status": "status",
        "plan": "plan",
        "mrr": "mrr",
        "currency": "currency",
    }
    known: dict[str, Any] = {}
    for part in says.split(", "):
        if part == "no account":
            known["stripe_account"] = None
        elif part == "minor units":
            known["mrr_unit"] = "minor"
        elif part != "nothing":
            name, _, value = part.partition(" ")
            known[names[name]] = value
    scene.filed(key, source or "hubspot", **known)


def _give(scene: Scene, key: str, plan: str, seats: str | None, options: str | None) -> None:
    known: dict[str, Any] = {"quantity": int(seats) if seats else None}
    for option in (options or "").split(", ")[1:]:
        name, _, value = option.partition(" ")
        match name:
            case "until":
                known["expires_at"] = moment(value)
            case "status" | "feature":
                known[name] = value
            case "account":
                known["stripe_account"] = value
            case "no":
                known["stripe_account"] = None
            case _:
                raise AssertionError(f"an entitlement has no {name}")
    scene.given(None if plan == "no plan" else plan, key, **known)


def _other_account(scene: Scene, account: str, crm: str, product: str | None) -> None:
    words = None if crm == "no CRM" else CrmWords(crm, ("churned", "lost"), ("active", "won"))
    store = ACME.entitlements if product else None
    scene.others.append(
        replace(ACME, slug=f"of-{account}", stripe_account=account, crm=words, entitlements=store)
    )


def _same_id(scene: Scene, account: str, deleted: str | None) -> None:
    scene.same_id.append(Neighbour(account, scene.id, deleted=bool(deleted)))


def _same_person(scene: Scene, id: str, account: str, pays: str) -> None:
    scene.same_person.append(Neighbour(account, id, paying=pays == "pays"))


def _without(scene: Scene, what: str) -> None:
    if what == "CRM":
        scene.account = replace(scene.account, crm=None)
    else:
        scene.account = replace(scene.account, entitlements=None)


def _mix(scene: Scene, what: str) -> None:
    crm, store = scene.account.crm, scene.account.entitlements
    assert crm is not None
    assert store is not None
    if what == "CRM":
        scene.account = replace(scene.account, crm=replace(crm, mixed=True))
    else:
        scene.account = replace(scene.account, entitlements=replace(store, mixed=True))


def _change(scene: Scene, system: str, name: str, at: str) -> None:
    source = Source(SYSTEMS[system]) if system != "Stripe" else Source.SUBSCRIPTIONS
    scene.changed[source, GONE if name == "row that is gone" else name] = moment(at)


def _read(scene: Scene, system: str, at: str) -> None:
    names = (
        [SYSTEMS[system]]
        if system != "Stripe"
        else [each.value for each in Source if each not in (Source.CRM, Source.ENTITLEMENTS)]
    )
    scene.read_at |= {Source(name): moment(at) for name in names}


def _name_plans(scene: Scene, says: str) -> None:
    by, _, rest = says.partition(", ")
    names: dict[str, Any] = {"by": by}
    if rest.startswith("pattern "):
        names["pattern"] = re.compile(rest.removeprefix("pattern "))
    elif rest:
        price, _, plan = rest.partition(" = ")
        names["map"] = {price: plan}
    scene.naming(**names)


STRIPE = {
    r"(?P<id>sub_\w+) is (?P<status>[a-z ]+): (?P<items>[^;]+)(?P<options>(?:; [^;]+)*)": _subscribe,
    rf"invoice (?P<id>\w+) of (?P<subscription>\w+) over (?P<amount>{MONEY}) is (?P<status>\w+) "
    rf"since (?P<since>{DAY})(?:, due (?P<due>{DAY}))?": _invoice,
    rf"payment (?P<id>\w+) of (?P<amount>{MONEY}) on (?P<on>{DAY})(?:, (?P<then>[\w ,.]+))?": _pay,
    r"dispute (?P<id>\w+) of (?P<charge>\w+) is (?P<status>[a-z ]+)": _dispute,
    r"cus_1 (?P<how>was deleted|was never there)": _delete,
    r"cus_1 has (?P<off>.+)": _discount_customer,
}
CRM = {
    r"(?P<key>crm_\w+)(?: of (?P<source>\w+))? says (?P<says>.+)": _file,
    r"there is no (?P<what>CRM)": _without,
}
PRODUCT = {
    r"(?P<key>ent_\w+) gives (?P<plan>no plan|[\w-]+)(?: × (?P<seats>\d+))?(?P<options>(?:, [^,]+)*)": _give,
    r"there is no (?P<what>product)": _without,
}
ELSEWHERE = {
    r"(?P<account>acct_\w+) uses (?P<crm>no CRM|\w+)(?P<product> and the same product)?": _other_account,
    r"test accounts use the same (?P<what>CRM|product)": _mix,
    r"(?P<account>acct_\w+) has (?P<deleted>deleted )?cus_1 too": _same_id,
    r"(?P<id>cus_\w+) of (?P<account>acct_\w+) (?P<pays>pays|no longer pays) with the same e-mail": _same_person,
}
CHANGED = {
    rf"(?P<system>Stripe|CRM|Product) (?P<name>[\w ]+) at (?P<at>{DAY})": _change,
}
READ = {
    rf"(?P<system>Stripe|CRM|Product) at (?P<at>{DAY})": _read,
}


def _expect(scenario: Scenario, says: str) -> None:
    if says == "nothing":
        return
    for word, into in (("settling: ", scenario.settling), ("not judged: ", scenario.unjudged)):
        if says.startswith(word):
            into.extend(says.removeprefix(word).split(", "))
            return
    if says.startswith("look again "):
        scenario.look_again = moment(says.removeprefix("look again "))
        return
    found = re.fullmatch(r"(?P<kind>\w+) on (?P<per>[\w-]+)(?:: (?P<rest>.+))?", says)
    assert found is not None, f"no expectation has this form: {says}"
    told: dict[str, Any] = {"details": {}}
    for part in (found["rest"] or "").split(", "):
        word, _, rest = part.partition(" ")
        if re.fullmatch(MONEY, part):
            told["amount"] = part
        elif word == "odd":
            told["odd"] = rest
        elif part in ("critical", "high", "normal", "low"):
            told["severity"] = part
        elif part:
            told["action"] = word
            told["details"] = dict(pair.split("=", 1) for pair in rest.split() if "=" in pair)
    scenario.expected.append(Expected(found["kind"], found["per"], **told))


__all__ = ["Expected", "Scenario", "replace_struct", "scenarios"]
