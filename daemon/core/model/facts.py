"""Facts: what was read of one subject, in every system, and what could not be.

An empty tuple means *known to be none*. What could not be read is named in `unread`, and a rule that needs it
is not asked. The few questions that many rules ask are answered here once.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

from msgspec import Struct

from accounts.facts import Entitlement, Record, Subject
from accounts.money import Money
from accounts.stripe.shapes import (
    Charge,
    Customer,
    Dispute,
    EarlyFraudWarning,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    Payout,
    Product,
    Refund,
    Review,
    Subscription,
)
from daemon.core.model.account import AccountFacts, AccountHealth, CrmWords, Estate
from daemon.core.model.derived import derived
from daemon.core.model.desk import CallerApproval, LiveProposal, Tried
from daemon.core.model.kinds import Source
from daemon.core.model.revenue import Monthly, monthly_of

LIVE: Final = frozenset({"active", "trialing", "past_due"})
BY_AGE: Final = attrgetter("created", "id")  # cases read the same in whichever order things were read
BY_KEY: Final = attrgetter("key")
GONE: Final = ""  # in `changed`: when a row of this source that was the subject's was last seen to be gone


def moment(unix: int) -> datetime:
    """Stripe's seconds as a moment."""
    return datetime.fromtimestamp(unix, UTC)


class Filed(Struct, frozen=True):
    """A record, and the CRM that it was read from."""

    source: str
    record: Record


class Neighbour(Struct, frozen=True):
    """A customer of some account that has something in common with the subject."""

    stripe_account: str
    id: str
    paying: bool = False  # has a live subscription
    deleted: bool = False


class Facts(Struct, frozen=True, dict=True, kw_only=True):
    """Of one subject, and read-only. Made by the observer or by a test, never by a rule."""

    subject: Subject
    account: AccountFacts
    estate: Estate

    customer: Customer | None = None  # None: Stripe has none of this id, or deleted it
    customer_deleted: bool = False
    subscriptions: tuple[Subscription, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    invoice_payments: tuple[InvoicePayment, ...] = ()
    payment_intents: tuple[PaymentIntent, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    fraud_warnings: tuple[EarlyFraudWarning, ...] = ()
    reviews: tuple[Review, ...] = ()
    payouts: tuple[Payout, ...] = ()
    products: Mapping[str, Product] = {}  # the account's, by id
    records: tuple[Filed, ...] = ()  # every record of every CRM that names this customer's id
    entitlements: tuple[Entitlement, ...] = ()  # of this customer, of this account or of none by name

    person: str | None = None  # the keyed hash of the customer's e-mail
    same_id: tuple[Neighbour, ...] = ()  # customers of this id in other accounts
    same_person: tuple[Neighbour, ...] = ()  # other customers with this e-mail, in any account of this mode

    proposals: tuple[LiveProposal, ...] = ()
    attempts: tuple[Tried, ...] = ()
    approvals: tuple[CallerApproval, ...] = ()
    health: AccountHealth | None = None  # of a subject of kind `account`

    unread: frozenset[Source] = frozenset()
    read_at: Mapping[Source, datetime] = {}  # the oldest read among a source's rows; of none, its last pass
    changed: Mapping[tuple[Source, str], datetime] = {}  # by id or key; what is absent here is long settled
    # By id and state (a status, or of a dispute `submitted:1` …): when the object was first seen there, after it had
    # been seen elsewhere. What is absent was so when it was first seen, and counts from its creation.
    reached: Mapping[tuple[Source, str, str], datetime] = {}

    @derived
    def live(self) -> tuple[Subscription, ...]:
        """The oldest first."""
        found = [each for each in self.subscriptions if each.status in LIVE]
        return tuple(sorted(found, key=BY_AGE) if len(found) > 1 else found)

    @derived
    def access_names(self) -> tuple[Entitlement, ...]:
        """Entitlements whose status lets the customer in, expired or not."""
        words = self.account.entitlements
        if words is None:
            return ()
        own = self.account.stripe_account
        found = [
            each
            for each in self.entitlements
            if each.status in words.access and (each.stripe_account == own or self._ours(each))
        ]
        return tuple(sorted(found, key=BY_KEY) if len(found) > 1 else found)

    def access(self, now: datetime) -> tuple[Entitlement, ...]:
        """Entitlements that let the customer in now."""
        named = self.access_names
        for each in named:
            if each.expires_at is not None:
                return tuple([one for one in named if one.expires_at is None or one.expires_at > now])
        return named

    def access_ran_out_at(self, now: datetime) -> datetime | None:
        """When access last ended by itself: a change that no row shows."""
        ends = [each.expires_at for each in self.access_names if each.expires_at and each.expires_at <= now]
        return max(ends, default=None)

    def plan_of(self, subscription: Subscription) -> str:
        """What a subscription is for, in one word: its plans' names, or its prices' ids where they have none."""
        named = [
            (self.account.plans.of(item.price, self.products) or (item.price.id,))[0]
            for item in subscription.items.data
            if item.price is not None
        ]
        return " + ".join(named) or subscription.id

    def plans_of(self, subscription: Subscription) -> tuple[tuple[str, ...], ...]:
        """For each of its items, the names that its plan goes by."""
        names = self.account.plans
        return tuple(
            [
                names.of(item.price, self.products)
                for item in subscription.items.data
                if item.price is not None
            ]
        )

    @derived
    def own_and_stray(self) -> tuple[tuple[Filed, ...], tuple[Filed, ...]]:
        own: list[Filed] = []
        stray: list[Filed] = []
        for each in self.records:
            if each.record.stripe_account == self.account.stripe_account:
                own.append(each)
                continue
            mapped = self.mapped_account(each)
            if self.belongs(mapped):
                own.append(each)
            elif self.customer is not None and not self._has_namesake(mapped):
                stray.append(each)
        for found in (own, stray):
            if len(found) > 1:
                found.sort(key=lambda each: (each.record.key, each.source))
        return tuple(own), tuple(stray)

    @property
    def own_records(self) -> tuple[Filed, ...]:
        """Records of this customer in this account, smallest key first; elsewhere-mapped ones are not among them."""
        return self.own_and_stray[0]

    @property
    def stray_records(self) -> tuple[Filed, ...]:
        """Records that map this customer to an account that is not its own, smallest key first."""
        return self.own_and_stray[1]

    @derived
    def record(self) -> Filed | None:
        """The one record that CRM rules judge: of several, the one with the smallest key."""
        own = self.own_and_stray[0]
        return own[0] if own and self.customer is not None else None

    @derived
    def latest_payment(self) -> Charge | None:
        """The customer's newest payment that went through, refunded or not."""
        paid = [each for each in self.charges if each.captured and each.status == "succeeded"]
        return max(paid, key=lambda each: (each.created, each.id), default=None)

    @derived
    def lost_dispute(self) -> Dispute | None:
        """The dispute in which the latest payment was lost."""
        latest = self.latest_payment
        if latest is None:
            return None
        lost = [each for each in self.disputes if each.charge == latest.id and each.status == "lost"]
        return max(lost, key=lambda each: (each.created, each.id), default=None)

    def since_adoption(self, source: Source, one: Dispute | Payout | Refund, state: str) -> bool:
        """Whether an object came into this state only after the account's first complete pass."""
        adopted = self.account.adopted
        return adopted is not None and self.in_state_since(source, one, state) >= adopted

    def in_state_since(self, source: Source, one: Dispute | Payout | Refund, state: str) -> datetime:
        return self.reached.get((source, one.id, state)) or moment(one.created)

    def monthly_of(self, subscription: Subscription) -> Money | None:
        """What a subscription brings a month, rounded; None where nobody can say."""
        monthly = monthly_of(subscription, self.customer)
        return monthly.rounded() if isinstance(monthly, Monthly) else None

    def words_of(self, filed: Filed) -> CrmWords | None:
        own = self.account.crm
        return own if own is not None and own.source == filed.source else self.estate.words_of(filed.source)

    def mapped_account(self, filed: Filed) -> str | None:
        """The Stripe account that a record maps its customer to: by its own word, or because only one uses its CRM."""
        if filed.record.stripe_account is not None:
            return filed.record.stripe_account
        users = self.estate.users_of_crm(filed.source)
        words = self.words_of(filed)
        alone = len(users) == 1 and words is not None and not words.mixed
        return users[0].stripe_account if alone else None

    def belongs(self, stripe_account: str | None) -> bool:
        """Whether something that names this account, or none, is this account's."""
        return stripe_account is None or stripe_account == self.account.stripe_account

    def _ours(self, entitlement: Entitlement) -> bool:
        """Of an entitlement that names no account, whether it is this account that answers for it."""
        if entitlement.stripe_account is not None:
            return self.belongs(entitlement.stripe_account)
        if self.customer is not None or self.subscriptions or self.account.entitlements is None:
            return True
        if self.account.entitlements.mixed or any(not each.deleted for each in self.same_id):
            return False
        return self.is_first(self.estate.users_of_entitlements(self.account.entitlements.source))

    def is_first(self, users: tuple[AccountFacts, ...]) -> bool:
        """Of several accounts that something could concern, it stands on the one with the smallest id."""
        return all(self.account.stripe_account <= each.stripe_account for each in users)

    def _has_namesake(self, stripe_account: str | None) -> bool:
        """Two accounts may have a customer of one id; then a record about the other one is right."""
        return any(each.stripe_account == stripe_account and not each.deleted for each in self.same_id)
