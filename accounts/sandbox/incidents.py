"""Scripted incidents: each turns dials of the pretend world when it begins, and turns them back when it ends.

The first sentence of each is what an operator reads before choosing one. Those that happen at once, such as a wave of
disputes, have nothing to turn back: they run until somebody says that they are over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from accounts.sandbox.business.billing import bill_of
from accounts.sandbox.business.shop import DAY_S, HOUR_S, Shop
from accounts.sandbox.business.trouble import dispute
from accounts.sandbox.world import StripeAccount, World

Turn = Callable[[World, StripeAccount], None]
Scope = Literal["account", "world"]

STORM_SHARE = 0.9  # of the requests; some get through, as in life
LATE_S = 120
SLOW_S = 5.0
WAVE_DUE = (20 * HOUR_S, 2 * DAY_S, 3 * DAY_S, 6 * DAY_S, None, 0)  # one dispute for each
CLOCK_JUMP_S = HOUR_S
LOCKS = 25


class NoSuchIncident(Exception):
    """An incident or account that is not there. The message names those that are."""


@dataclass(frozen=True, slots=True)
class Incident:
    begin: Turn
    end: Turn
    scope: Scope = "account"

    @property
    def name(self) -> str:
        return self.begin.__name__

    @property
    def about(self) -> str:
        return " ".join((self.begin.__doc__ or "").split())


def outage(world: World, account: StripeAccount) -> None:
    """Stripe answers 503 for one account; all others are well."""
    account.faults.outage = "503"


def _outage_over(world: World, account: StripeAccount) -> None:
    account.faults.outage = ""


def connections_dropped(world: World, account: StripeAccount) -> None:
    """Every connection to Stripe for one account closes without an answer."""
    account.faults.outage = "drop"


def slow_answers(world: World, account: StripeAccount) -> None:
    """Stripe takes five seconds for every answer to one account."""
    account.faults.latency_s = SLOW_S


def _fast_again(world: World, account: StripeAccount) -> None:
    account.faults.latency_s = 0.0


def rate_limit_storm(world: World, account: StripeAccount) -> None:
    """Nine of ten requests for one account are answered 429, by the global limiter."""
    account.faults.storm_reason, account.faults.storm_share = "global-rate", STORM_SHARE


def _storm_over(world: World, account: StripeAccount) -> None:
    account.faults.storm_reason, account.faults.storm_share = "", 1.0


def busy_neighbour(world: World, account: StripeAccount) -> None:
    """Somebody else's traffic uses nine tenths of one account's rate limits; needs a world that enforces limits."""
    account.faults.others_share = STORM_SHARE


def _neighbour_gone(world: World, account: StripeAccount) -> None:
    account.faults.others_share = 0.0


def objects_locked(world: World, account: StripeAccount) -> None:
    """The next 25 requests for one account meet a locked object: 429 `lock_timeout`, and nothing is done."""
    account.faults.lock_timeouts = LOCKS


def _unlocked(world: World, account: StripeAccount) -> None:
    account.faults.lock_timeouts = 0


def key_revoked(world: World, account: StripeAccount) -> None:
    """All keys of one account are revoked: 401."""
    for key in account.keys.values():
        key.revoked = True


def _keys_back(world: World, account: StripeAccount) -> None:
    for key in account.keys.values():
        key.revoked = key.expired = False


def key_expired(world: World, account: StripeAccount) -> None:
    """All keys of one account have expired: 401 `api_key_expired`."""
    for key in account.keys.values():
        key.expired = True


def permission_missing(world: World, account: StripeAccount) -> None:
    """The keys of one account may no longer read disputes: 403, which names the permission."""
    for key in account.keys.values():
        if key.permissions is not None:
            key.permissions -= {"rak_dispute_read", "rak_dispute_write"}


def _permission_back(world: World, account: StripeAccount) -> None:
    for key in account.keys.values():
        if key.permissions is not None:
            acts = any(name.endswith("_write") for name in key.permissions)
            key.permissions |= {"rak_dispute_read", "rak_dispute_write"} if acts else {"rak_dispute_read"}


def answer_lost(world: World, account: StripeAccount) -> None:
    """The next write for one account is done, and its answer is lost."""
    account.faults.answers_lost = 1


def _answers_arrive(world: World, account: StripeAccount) -> None:
    account.faults.answers_lost = 0


def refunds_fail(world: World, account: StripeAccount) -> None:
    """New refunds of one account stay pending for two minutes, and then fail."""
    account.faults.refunds_pending_s, account.faults.refunds_fail = LATE_S, True


def _refunds_succeed(world: World, account: StripeAccount) -> None:
    account.faults.refunds_pending_s, account.faults.refunds_fail = 0, False


def webhook_blackout(world: World, account: StripeAccount) -> None:
    """No webhook of one account gets through; Stripe tries again later."""
    world.outgoing.dials(account.id).unreachable = True


def webhooks_lost(world: World, account: StripeAccount) -> None:
    """The webhooks of one account are lost for good, and Stripe does not know."""
    world.outgoing.dials(account.id).drop_share = 1.0


def duplicate_storm(world: World, account: StripeAccount) -> None:
    """Every webhook of one account comes twice, a third as two events, half of them out of order."""
    dials = world.outgoing.dials(account.id)
    dials.duplicate_share, dials.twin_share, dials.reorder_share = 1.0, 0.3, 0.5


def _webhooks_well(world: World, account: StripeAccount) -> None:
    world.outgoing.dials(account.id).clear()


def events_late(world: World, account: StripeAccount) -> None:
    """Every other event of one account shows in lists two minutes late, and all its webhooks are as late."""
    account.faults.events_visible_after_s, account.faults.events_delayed_every = LATE_S, 2
    world.outgoing.dials(account.id).delay_s = LATE_S


def _events_in_time(world: World, account: StripeAccount) -> None:
    account.faults.events_visible_after_s, account.faults.events_delayed_every = 0, 1
    world.outgoing.dials(account.id).delay_s = 0


def dispute_wave(world: World, account: StripeAccount) -> None:
    """Six of the newest payments of one account are disputed at once, with deadlines near, far, unknown and none."""
    shop = Shop(world, account, story=dispute_wave.__name__)
    spoken_for = {id_ for each in world.planted for id_ in (each.subject, *each.ids)}
    free = (
        charge
        for charge in account.newest_first("charge")
        if charge["paid"] and not charge["disputed"] and not charge["amount_refunded"]
        if charge["id"] not in spoken_for and charge["customer"] not in spoken_for
    )
    for charge, due_in in zip(islice(free, len(WAVE_DUE)), WAVE_DUE, strict=False):
        due_by = shop.now + due_in if due_in else due_in
        disputed = dispute(shop, bill_of(shop, charge), due_by=due_by, ago_s=0)
        kind = "dispute_update" if due_by == 0 else "dispute_deadline"
        shop.expect(kind, disputed, charge["id"])


def clock(world: World, account: StripeAccount) -> None:
    """The world's clock jumps an hour ahead."""
    world.clock.advance(CLOCK_JUMP_S)


def crm_down(world: World, account: StripeAccount) -> None:
    """The CRM closes every connection without an answer."""
    world.crm_dials.fault = "down"


def crm_half(world: World, account: StripeAccount) -> None:
    """The CRM's answers break off in the middle."""
    world.crm_dials.fault = "half"


def _crm_up(world: World, account: StripeAccount) -> None:
    world.crm_dials.fault = None


def product_down(world: World, account: StripeAccount) -> None:
    """The product answers 500 to every question about entitlements."""
    world.product_dials.fault = "error"


def _product_up(world: World, account: StripeAccount) -> None:
    world.product_dials.fault = None


def _nothing(world: World, account: StripeAccount) -> None:
    """What happened at once has nothing to turn back."""


INCIDENTS = (
    Incident(outage, _outage_over),
    Incident(connections_dropped, _outage_over),
    Incident(slow_answers, _fast_again),
    Incident(rate_limit_storm, _storm_over),
    Incident(busy_neighbour, _neighbour_gone),
    Incident(objects_locked, _unlocked),
    Incident(key_revoked, _keys_back),
    Incident(key_expired, _keys_back),
    Incident(permission_missing, _permission_back),
    Incident(answer_lost, _answers_arrive),
    Incident(refunds_fail, _refunds_succeed),
    Incident(webhook_blackout, _webhooks_well),
    Incident(webhooks_lost, _webhooks_well),
    Incident(duplicate_storm, _webhooks_well),
    Incident(events_late, _events_in_time),
    Incident(dispute_wave, _nothing),
    Incident(clock, _nothing, "world"),
    Incident(crm_down, _crm_up, "world"),
    Incident(crm_half, _crm_up, "world"),
    Incident(product_down, _product_up, "world"),
)
BY_NAME = {incident.name: incident for incident in INCIDENTS}


def start(world: World, name: str, account: str | None = None) -> None:
    """Begins an incident, on the first account unless one is named by slug or id."""
    incident, where = _found(world, name, account)
    incident.begin(world, where)
    world.incidents.add(_running(incident, where))


def end(world: World, name: str, account: str | None = None) -> None:
    """Ends an incident; one that is not running is turned back all the same."""
    incident, where = _found(world, name, account)
    incident.end(world, where)
    world.incidents.discard(_running(incident, where))


def _running(incident: Incident, account: StripeAccount) -> tuple[str, str | None]:
    return incident.name, account.id if incident.scope == "account" else None


def _found(world: World, name: str, account: str | None) -> tuple[Incident, StripeAccount]:
    incident = BY_NAME.get(name)
    if incident is None:
        raise NoSuchIncident(f"There is no incident “{name}”; there are {', '.join(BY_NAME)}.")
    found = [each for each in world.accounts.values() if account in (None, each.slug, each.id)]
    if not found:
        slugs = ", ".join(each.slug for each in world.accounts.values())
        raise NoSuchIncident(f"There is no account “{account}”; there are {slugs}.")
    return incident, found[0]
