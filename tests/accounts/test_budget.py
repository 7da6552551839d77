"""Stripe's read allocation: counted per key owner, kept over restarts, and kept for what matters most."""

import threading
from datetime import timedelta

import pytest

from accounts.budget import FLUSH_READS, READS_MIN, STRETCH_MAX, MemoryLedger, Purpose, ReadBudget
from accounts.errors import BudgetSpent
from accounts.registry import KeyOwner
from metrics.catalog import REGISTRY
from tests.accounts.building import ACCT, NOON, Clock, reader, respond

OWNER = KeyOwner(ACCT)
TODAY = int(NOON.timestamp()) // 86_400


def budget(ledger: MemoryLedger, clock: Clock | None = None) -> ReadBudget:
    return ReadBudget(OWNER, ledger, (clock or Clock()).now)


def test_there_are_never_fewer_than_ten_thousand_and_five_hundred_a_transaction() -> None:
    assert budget(MemoryLedger()).allowed == READS_MIN
    assert budget(MemoryLedger(transactions=20)).allowed == READS_MIN
    assert budget(MemoryLedger(transactions=200)).allowed == 100_000


def test_reads_of_thirty_days_count_and_older_ones_do_not() -> None:
    ledger = MemoryLedger()
    ledger.add(OWNER, TODAY - 30, 7_000)
    ledger.add(OWNER, TODAY - 29, 500)
    ledger.add(KeyOwner("acct_other"), TODAY, 9_000)
    assert budget(ledger).used == 500


def test_old_days_drop_out_while_the_process_runs() -> None:
    clock, ledger = Clock(), MemoryLedger()
    ledger.add(OWNER, TODAY, 9_000)
    spending = budget(ledger, clock)
    with pytest.raises(BudgetSpent):
        spending.spend(Purpose.SWEEP)
    clock.s += timedelta(days=30).total_seconds()
    spending.spend(Purpose.SWEEP)
    assert spending.used == 1


@pytest.mark.parametrize("purpose", list(Purpose))
def test_the_last_tenth_is_for_rereads_and_deadlines(purpose: Purpose) -> None:
    ledger = MemoryLedger()
    ledger.add(OWNER, TODAY, 9_000)
    spending = budget(ledger)
    if purpose in {Purpose.LIVE_REREAD, Purpose.DEADLINE}:
        spending.spend(purpose)
    else:
        with pytest.raises(BudgetSpent, match=r"9,000 of the 10,000 reads .* webhooks") as raised:
            spending.spend(purpose)
        assert purpose.value in str(raised.value)


def test_beyond_all_of_it_nothing_is_read() -> None:
    ledger = MemoryLedger()
    ledger.add(OWNER, TODAY, 10_000)
    with pytest.raises(BudgetSpent):
        budget(ledger).spend(Purpose.LIVE_REREAD)


def test_nothing_slows_before_half_is_used_and_then_ever_more() -> None:
    stretches = []
    for used in (0, 4_999, 5_000, 6_000, 7_000, 8_000, 8_900, 9_000, 12_000):
        ledger = MemoryLedger()
        ledger.add(OWNER, TODAY, used)
        stretches.append(budget(ledger).stretch())
    assert stretches[:3] == pytest.approx([1.0, 1.0, 1.0])
    assert stretches == sorted(stretches)
    assert 1.2 < stretches[3] < 2
    assert stretches[-2:] == [STRETCH_MAX, STRETCH_MAX]


def test_reads_reach_the_ledger_in_batches_and_at_the_end() -> None:
    ledger = MemoryLedger()
    spending = budget(ledger)
    for _ in range(FLUSH_READS + 3):
        spending.spend(Purpose.LOOK)
    assert FLUSH_READS <= ledger.days[OWNER, TODAY] < FLUSH_READS + 3
    spending.flush()
    assert ledger.days[OWNER, TODAY] == spending.used == FLUSH_READS + 3
    assert budget(ledger).used == FLUSH_READS + 3


def test_reads_count_on_the_day_on_which_they_were_made() -> None:
    clock, ledger = Clock(), MemoryLedger()
    spending = budget(ledger, clock)
    spending.spend(Purpose.LOOK)
    clock.s += 86_400
    spending.spend(Purpose.LOOK)
    spending.flush()
    assert dict(ledger.days) == {(OWNER, TODAY): 1, (OWNER, TODAY + 1): 1}


def test_accounts_of_one_platform_share_its_allocation() -> None:
    ledger = MemoryLedger()
    one, other = budget(ledger), budget(ledger)
    for _ in range(FLUSH_READS):
        one.spend(Purpose.SWEEP)
    one.flush()
    for _ in range(FLUSH_READS + 1):
        other.spend(Purpose.SWEEP)
    assert other.used == 2 * FLUSH_READS + 1


def test_many_threads_lose_no_read() -> None:
    ledger = MemoryLedger()
    spending = budget(ledger)
    threads = [
        threading.Thread(target=lambda: [spending.spend(Purpose.LOOK) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spending.flush()
    assert ledger.days[OWNER, TODAY] == 1_600


def test_a_read_is_counted_whatever_comes_of_it_and_the_share_is_shown() -> None:
    reading = reader(lambda request: respond({"object": "list", "data": [], "has_more": False}))
    from accounts.stripe.resources import BY_NAME

    list(reading.pages(BY_NAME["customers"], purpose=Purpose.SWEEP))
    shown = REGISTRY.get_sample_value("reconciled_stripe_read_budget_used_ratio", {"account": "here"})
    assert shown == 1 / READS_MIN
