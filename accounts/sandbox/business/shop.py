"""One pretend account's books: how an object gets into them, is told of by events, and moves money.

Events of the past are laid down where Stripe still remembers them; what happens now is emitted, and so delivered.
"""

from typing import Any

from accounts.sandbox import objects
from accounts.sandbox.business.planted import Planted
from accounts.sandbox.stripe.older import as_of
from accounts.sandbox.world import Json, StripeAccount, World, public

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
EVENTS_KEPT_S = 30 * DAY_S  # Stripe's own retention
PAYOUT_EVERY_S = 7 * DAY_S
CUSTOMER_AGE_S = 500 * DAY_S  # older than any subscription that is laid down

ADJECTIVES = ("Amber", "Brisk", "Calm", "Dapper", "Early", "Frosty", "Gentle", "Hazel", "Ivory", "Jolly")
NOUNS = ("Otter", "Birch", "Comet", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Island", "Juniper", "Kiln")


class Shop:
    def __init__(self, world: World, account: StripeAccount, now: int | None = None, story: str = "") -> None:
        self.world = world
        self.account = account
        self.now = world.clock.now() if now is None else now
        self.story = story  # what is being told, and so written down with what it plants
        self.prices = {each["lookup_key"]: each for each in account.newest_first("price")}
        self.features = {each["lookup_key"]: each for each in account.newest_first("entitlements.feature")}
        self.names: dict[str, str] = {}
        self.peers: list[Shop] = []  # all shops of the world, in the order in which they are filled
        self._customers_named = account.count("customer")
        self._payouts: dict[tuple[str, int], tuple[str, list[int]]] = {}

    @property
    def neighbours(self) -> "list[Shop]":
        """The other shops of the same mode."""
        same = self.account.livemode
        return [each for each in self.peers if each is not self and each.account.livemode == same]

    @property
    def later_neighbours(self) -> "list[Shop]":
        """Those of them that are filled later, so that they can still be given customers."""
        return [each for each in self.peers[self.peers.index(self) :] if each in self.neighbours]

    @property
    def later_in_the_other_mode(self) -> "list[Shop]":
        other = not self.account.livemode
        return [each for each in self.peers[self.peers.index(self) :] if each.account.livemode == other]

    def id(self, prefix: str) -> str:
        return self.world.new_id(prefix)

    def keep(self, obj: Json, *told: str) -> Json:
        """Stores a new object and tells of it at the time it was created."""
        self.account.put(obj)
        for event in told:
            self.tell(event, obj, obj["created"])
        return obj

    def change(
        self, cls: str, id: str, told: str | None = None, at: int | None = None, **changes: Any
    ) -> Json:
        """Changes fields of an object, and tells of it if asked to."""
        obj = self.account.get(cls, id)
        if obj is None:
            raise LookupError(f"{self.account.id} has no {cls} {id}")
        before = {name: obj[name] for name in changes}
        self.account.put(obj | changes)
        if told is not None:
            updated = told.endswith(".updated")
            self.tell(told, obj | changes, self.now if at is None else at, before if updated else None)
        return obj | changes

    def tell(self, type: str, obj: Json, at: int, before: Json | None = None) -> None:
        """An event: emitted and delivered if it is of now, else laid down where Stripe still remembers it."""
        if at >= self.now:
            self.account.emit(type, obj, before)
        elif at > self.now - EVENTS_KEPT_S:
            told = objects.event(
                self.id("evt"),
                created=at,
                type=type,
                object=as_of(self.account.api_version, public(obj)),
                previous_attributes=before,
                account=self.account.id if self.account.platform else None,
                api_version=self.account.api_version,
                livemode=self.account.livemode,
            )
            self.account.put(told)

    def customer(self, *, age_s: int = CUSTOMER_AGE_S, email: str | None = None) -> str:
        """A customer with a card."""
        account, rng, created = self.account, self.world.rng, self.now - age_s
        self._customers_named += 1
        name = f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} {self._customers_named}"
        made = objects.customer(
            self.id("cus"),
            created=created,
            name=name,
            email=email or f"{name.lower().replace(' ', '.')}@{account.slug}.example.com",
            currency=account.currency,
            livemode=account.livemode,
        )
        id_ = str(made["id"])
        card = objects.payment_method(self.id("pm"), created=created, customer=id_, livemode=account.livemode)
        made["invoice_settings"]["default_payment_method"] = card["id"]
        account.put(card)
        self.keep(made, "customer.created")
        self.names[id_] = name
        return id_

    def move(
        self,
        source: str,
        type: str,
        amount: int,
        currency: str,
        at: int,
        *,
        fee: int = 0,
        category: str | None = None,
    ) -> Json:
        """Moves money on the balance; it leaves with the payout of its week, once that week is over."""
        moved = objects.balance_transaction(
            self.id("txn"),
            created=at,
            amount=amount,
            currency=currency,
            type=type,
            source=source,
            fee=fee,
            reporting_category=category,
        )
        week = (self.now - at) // PAYOUT_EVERY_S
        hidden: Json = {}
        if week > 0:
            payout, amounts = self._payouts.setdefault((currency, week), (self.id("po"), []))
            amounts.append(amount - fee)
            hidden["_payout"] = payout
        self.account.put(moved | hidden)
        return moved

    def pay_out(self) -> None:
        """The weekly payouts of all money that moved in weeks that are over."""
        for (currency, week), (payout, amounts) in self._payouts.items():
            created = self.now - week * PAYOUT_EVERY_S + HOUR_S
            moved = objects.balance_transaction(
                self.id("txn"),
                created=created,
                amount=-sum(amounts),
                currency=currency,
                type="payout",
                source=payout,
            )
            self.account.put(moved | {"_payout": payout})
            paid = objects.payout(
                payout,
                created=created,
                amount=sum(amounts),
                currency=currency,
                balance_transaction=moved["id"],
                livemode=self.account.livemode,
            )
            self.keep(paid, "payout.created", "payout.paid")
        self._payouts.clear()

    def expect(self, kind: str, subject: str, *ids: str) -> None:
        """A case of this kind should stand for this subject."""
        self.world.planted.append(Planted(kind, self.account.id, subject, True, self.story, ids))

    def expect_no(self, kind: str, subject: str, *ids: str) -> None:
        """A near miss: no case of this kind may stand for this subject."""
        self.world.planted.append(Planted(kind, self.account.id, subject, False, self.story, ids))
