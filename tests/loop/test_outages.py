"""What cannot be read changes nothing that rests on it, and delays nothing else."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from accounts.errors import ObservationError
from accounts.sandbox.business.billing import newest_paid
from accounts.sandbox.business.records import moment
from accounts.sandbox.business.shop import DAY_S, Shop
from accounts.sandbox.business.trouble import dispute
from daemon.core.judge import judge
from daemon.core.model import Kind, Source
from daemon.core.rules import BY_KIND
from daemon.observe.landscape import reading_of
from daemon.store import passes
from daemon.store.db import Store
from daemon.store.snapshots import SNAPSHOTS
from tests.loop.rig import Rig, rigged

ACME_EU = "acct_1SandboxAcmeEu"


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Any:
    with rigged(store, tmp_path, accounts=2, customers=45) as rig:
        rig.read_everything()
        rig.rest()
        rig.sandbox.advance("30m")
        yield rig


def resting_on(rig: Rig, *sources: Source) -> set[tuple[str, str]]:
    """The standing cases, of acme-eu, of rules that read one of these, each with all that it says."""
    ours = [row for row in rig.standing() if row.account == "acme-eu"]
    return {(row.id, row.digest) for row in ours if BY_KIND[Kind(row.kind)].needs & set(sources)}


def cancel(customer: str) -> Any:
    """A customer leaves, and Stripe tells."""

    def do(shop: Shop) -> str:
        (one,) = (each["id"] for each in shop.account.newest_first("subscription", customer=customer))
        gone: dict[str, Any] = {"status": "canceled", "canceled_at": shop.now, "ended_at": shop.now}
        shop.change("subscription", one, "customer.subscription.deleted", **gone)
        return str(one)

    return do


def close(customer: str) -> Any:
    """The product lets a customer in no more."""

    def do(shop: Shop) -> None:
        for each in shop.world.entitlements:
            if each["stripe_customer"] == customer:
                each |= {"status": "ended", "updated": moment(shop.now)}

    return do


def customer_of(rig: Rig, story: str, account: str = "acme-eu") -> str:
    """The customer of whom a story tells."""
    stripe_account = next(each.stripe_account for each in rig.settings.accounts if each.id == account)
    planted = [
        each for each in rig.sandbox.world.planted if (each.story, each.account) == (story, stripe_account)
    ]
    return next(one for each in planted for one in (each.subject, *each.ids) if one.startswith("cus_"))


def ordinary(shop: Shop) -> Any:
    """A customer who pays, of whom no story tells."""
    told = {one for each in shop.world.planted for one in (each.subject, *each.ids)}
    paying = shop.account.newest_first("subscription", status="active")
    return next(each["customer"] for each in paying if not told & {each["customer"], each["id"]})


def dispute_now(shop: Shop) -> str:
    """Somebody disputes a payment that nobody was worried about."""
    bill = newest_paid(shop, ordinary(shop))
    return dispute(shop, bill, due_by=shop.now + 2 * DAY_S, ago_s=0)


def test_an_unreachable_crm_changes_no_case_that_reads_it_while_a_deadline_opens(rig: Rig) -> None:
    """Trap T39: what vanishes by an outage is not resolved; what has a deadline does not wait."""
    before = resting_on(rig, Source.CRM)
    churned, agreeing = customer_of(rig, "crm_says_churned"), customer_of(rig, "revenue_within_tolerance")
    rig.sandbox.world.crm_dials.fault = "down"

    rig.on("acme-eu", cancel(churned))  # now the CRM would be right
    rig.on("acme-eu", cancel(agreeing))  # and here it would be wrong
    rig.on("acme-eu", close(agreeing))
    disputed = rig.on("acme-eu", dispute_now)
    rig.hear()
    rig.rest()
    assert rig.stands("dispute_deadline", disputed)
    assert resting_on(rig, Source.CRM) == before

    rig.sandbox.advance("1h")
    with pytest.raises(ObservationError):
        rig.read_records()
    rig.read_entitlements()
    rig.rest()
    assert resting_on(rig, Source.CRM) == before

    rig.sandbox.world.crm_dials.fault = None
    rig.read_records()
    rig.rest()
    assert rig.stands("crm_status_mismatch", churned) == []
    assert rig.stands("crm_status_mismatch", agreeing)


def test_a_case_that_would_resolve_by_a_change_in_stripe_waits_for_the_product_to_be_asked(rig: Rig) -> None:
    """Access without payment: the customer comes back, while nobody knows what the product gives now."""
    customer = customer_of(rig, "ended_but_open")
    rig.sandbox.world.product_dials.fault = "error"

    def come_back(shop: Shop) -> None:
        (one,) = (each["id"] for each in shop.account.newest_first("subscription", customer=customer))
        again: dict[str, Any] = {"status": "active", "canceled_at": None, "ended_at": None}
        shop.change("subscription", one, "customer.subscription.updated", **again)

    rig.on("acme-eu", come_back)
    rig.hear()
    rig.rest()
    assert rig.stands("access_without_payment", customer)

    rig.sandbox.world.product_dials.fault = None
    rig.read_entitlements()
    rig.rest()
    assert rig.stands("access_without_payment", customer) == []


def test_what_could_not_be_read_is_read_as_soon_as_it_can_be(rig: Rig) -> None:
    rig.sandbox.incident("outage", "acme-eu")
    disputed = rig.on("acme-eu", dispute_now)
    rig.hear()
    rig.rest()
    assert rig.stands("dispute_deadline", disputed) == []
    rig.sandbox.end_incident("outage", "acme-eu")
    rig.sandbox.advance("5s")
    rig.rest()
    assert rig.stands("dispute_deadline", disputed)


def test_one_accounts_outage_delays_no_other(rig: Rig) -> None:
    before = {row.id for row in rig.standing()}
    rig.sandbox.incident("outage", "acme-eu")
    for account in ("acme-eu", "acme-us"):
        rig.on(account, dispute_now)
    rig.hear()
    rig.rest()
    opened = {row.account for row in rig.standing() if row.id not in before}
    assert opened == {"acme-us"}


def test_a_key_of_another_account_concludes_nothing(rig: Rig, store: Store) -> None:
    secrets = rig.folder / "secrets"
    (secrets / "acme-eu-read").write_text((secrets / "acme-us-read").read_text())
    before = {(row.id, row.digest) for row in rig.standing()}
    tombstones = gone(store)
    rig.start_again()

    customers = [each.subject_id for each in rig.standing() if each.account == "acme-eu"][:5]
    for customer in customers:
        rig.mark("acme-eu", "customer", customer)
    rig.rest()
    rig.sandbox.advance("2h")
    rig.rest()

    assert gone(store) == tombstones
    after = {(row.id, row.digest) for row in rig.standing() if row.kind != "account_degraded"}
    assert after == before
    (degraded,) = rig.stands("account_degraded")
    assert (degraded.account, degraded.facts["stripe"]["key"]) == ("acme-eu", "wrong_account")

    (secrets / "acme-eu-read").write_text("rk_live_sandbox_acmeeu_read\n")
    rig.sandbox.advance("20m")
    rig.rest()
    assert rig.stands("account_degraded") == []
    assert {(row.id, row.digest) for row in rig.standing()} == before


def gone(store: Store) -> int:
    with store.reading() as session:
        query = select(func.count()).select_from(SNAPSHOTS).where(SNAPSHOTS.c.deleted.is_(True))
        return int(session.execute(query).scalar_one())


def test_a_revoked_key_silences_disagreements_and_not_deadlines(rig: Rig) -> None:
    """A dispute that is known already comes into view while nothing can be read."""
    far = next(
        each.subject
        for each in rig.sandbox.world.planted
        if (each.story, each.kind, each.account) == ("dispute_due_in_a_month", "dispute_deadline", ACME_EU)
    )
    before = resting_on(rig, Source.CRM, Source.ENTITLEMENTS)
    rig.sandbox.incident("key_revoked", "acme-eu")
    rig.mark("acme-eu", "customer", customer_of(rig, "ended_but_open"))
    rig.rest()
    for _ in range(24):
        rig.sandbox.advance("1d")
        rig.rest()
    assert rig.stands("dispute_deadline", far)
    assert resting_on(rig, Source.CRM, Source.ENTITLEMENTS) == before


def test_a_failing_pass_is_written_once_and_shown_after_an_hour(rig: Rig, store: Store) -> None:
    with store.transaction() as session:
        land = rig.works.cartographer.landscape(session).lands["acme-eu"]
        reading = reading_of(land.facts, Source.CRM)
        assert reading is not None
        passes.fail(session, reading, "unreachable", "it does not answer", rig.now())
    rig.rest()
    assert rig.stands("account_degraded") == []
    rig.sandbox.advance("61m")
    with store.transaction() as session:
        passes.fail(session, reading, "unreachable", "it still does not answer", rig.now())
    rig.rest()
    assert rig.stands("account_degraded")
    rig.read_records()
    rig.rest()
    assert rig.stands("account_degraded") == []


def test_a_subject_that_breaks_a_rule_is_set_aside_and_the_others_go_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap A19: a subject that makes every look fail."""
    poison = customer_of(rig, "ended_but_open")

    def stumbling(facts: Any, policy: Any, now: Any) -> Any:
        if facts.subject.id == poison:
            raise ZeroDivisionError("a bug")
        return judge(facts, policy, now)

    monkeypatch.setattr("daemon.judging.judge", stumbling)
    disputed = rig.on("acme-eu", dispute_now)
    rig.mark("acme-eu", "customer", poison)
    rig.hear()
    with capture_logs() as lines:
        rig.rest()
        assert rig.stands("dispute_deadline", disputed)
        for _ in range(10):
            rig.sandbox.advance("16m")
            rig.rest()
    assert [line["id"] for line in lines if line["event"] == "subject_set_aside"] == [poison]
    assert [each.subject.id for each in rig.buried("acme-eu")] == [poison]

    monkeypatch.undo()
    rig.mark("acme-eu", "customer", poison)
    rig.rest()
    assert rig.buried("acme-eu") == []
