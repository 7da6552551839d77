"""The world below the faces: its clock, what an account keeps, and how it is run."""

import pytest

from accounts.sandbox import objects
from accounts.sandbox.clock import Clock, seconds
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount, World
from tests.sandbox.shop import open_shop

T0 = 1_790_000_000


class Real:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def account() -> StripeAccount:
    return World(seed=7, start=T0).open_account("acct_1", "one")


def payout(number: int, created: int = T0, status: str = "paid") -> objects.Object:
    return objects.payout(
        f"po_{number}",
        created=created,
        amount=number,
        currency="usd",
        balance_transaction=None,
        status=status,
    )


class TestClock:
    def test_it_follows_real_time_from_its_start(self) -> None:
        real = Real()
        clock = Clock(T0, real)
        assert clock.now() == T0
        real.now += 90
        assert clock.now() == T0 + 90

    def test_what_falls_due_on_the_way_sees_the_clock_at_its_own_time_and_in_order(self) -> None:
        clock, seen = Clock(T0, Real()), []
        for after in (300, 100, 200):
            clock.at(T0 + after, lambda after=after: seen.append((after, clock.now() - T0)))  # type: ignore[misc]
        clock.at(T0 + 1000, lambda: seen.append((1000, 0)))
        clock.advance(600)
        assert seen == [(100, 100), (200, 200), (300, 300)]
        assert clock.now() == T0 + 600

    def test_what_is_scheduled_on_the_way_is_done_on_the_same_way(self) -> None:
        clock, seen = Clock(T0, Real()), []
        clock.at(T0 + 10, lambda: clock.after(10, lambda: seen.append(clock.now() - T0)))
        clock.advance(60)
        assert seen == [20]

    def test_it_is_never_moved_back(self) -> None:
        clock = Clock(T0, Real())
        clock.advance(60)
        clock.at(T0, lambda: None)
        clock.tick()
        assert clock.now() == T0 + 60

    @pytest.mark.parametrize(
        ("text", "length"), [("90s", 90), ("15m", 900), ("25h", 90_000), ("30d", 2_592_000)]
    )
    def test_durations_are_written_like_this(self, text: str, length: int) -> None:
        assert seconds(text) == length

    @pytest.mark.parametrize("text", ["", "5", "h", "1.5h", "-5m", "5w"])
    def test_other_durations_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a duration"):
            seconds(text)


class TestAccount:
    def test_what_is_read_out_is_a_copy(self, account: StripeAccount) -> None:
        account.put(payout(1))
        copy = account.get("payout", "po_1")
        assert copy is not None
        copy["amount"] = 99
        assert (account.get("payout", "po_1") or {})["amount"] == 1
        account.put(copy)
        assert (account.get("payout", "po_1") or {})["amount"] == 99
        assert account.count("payout") == 1

    def test_objects_come_newest_first_in_whatever_order_they_were_put(self, account: StripeAccount) -> None:
        for number, created in ((1, 30), (2, 10), (3, 20), (4, 20)):
            account.put(payout(number, T0 + created))
        assert [each["id"] for each in account.newest_first("payout")] == ["po_1", "po_4", "po_3", "po_2"]

    def test_one_whose_time_changes_finds_its_new_place(self, account: StripeAccount) -> None:
        for number in range(3):
            account.put(payout(number, T0 + number))
        account.put(payout(2, T0 - 5))
        assert [each["id"] for each in account.newest_first("payout")] == ["po_1", "po_0", "po_2"]

    def test_what_changes_is_found_by_what_it_is_now(self, account: StripeAccount) -> None:
        account.put(payout(1))
        account.put(payout(1, status="failed"))
        assert list(account.newest_first("payout", status="paid")) == []
        assert len(list(account.newest_first("payout", status="failed"))) == 1

    def test_what_is_deleted_leaves_a_tombstone_until_it_is_put_again(self, account: StripeAccount) -> None:
        account.put(payout(1))
        account.delete("payout", "po_1")
        assert (account.get("payout", "po_1"), account.count("payout")) == (None, 0)
        assert account.deleted("payout", "po_1")
        account.put(payout(1))
        assert not account.deleted("payout", "po_1")

    def test_the_objects_may_change_while_they_are_walked_over(self, account: StripeAccount) -> None:
        for number in range(5):
            account.put(payout(number, T0 + number, "pending"))
        for each in account.newest_first("payout", status="pending"):
            account.put(each | {"status": "paid"})
        assert len(list(account.newest_first("payout", status="paid"))) == 5

    def test_the_same_seed_makes_the_same_ids(self) -> None:
        one, same, other = (World(seed, T0).new_id("ch") for seed in (7, 7, 8))
        assert one == same != other
        assert len(one) == len("ch_") + 24


class TestServer:
    def test_an_incident_begins_and_ends_by_name(self) -> None:
        with Sandbox.start(accounts=0) as sandbox:
            shop = open_shop(sandbox)
            sandbox.incident("outage", shop.account.slug)
            assert shop.get("/v1/charges").status_code == 503
            sandbox.end_incident("outage", shop.account.slug)
            assert shop.get("/v1/charges").status_code == 200

    def test_a_planted_world_is_there_when_the_block_begins(self) -> None:
        with Sandbox.start(accounts=2, customers=20, seed=3) as sandbox:
            counts = [each.count("customer") for each in sandbox.world.accounts.values()]
        assert counts[:2] == [20, 20]

    def test_what_fails_on_the_loop_fails_where_it_was_asked_for(self) -> None:
        with Sandbox.start(accounts=0) as sandbox, pytest.raises(ZeroDivisionError):
            sandbox.on_loop(lambda: 1 // 0)

    def test_a_path_that_no_face_has_is_a_404(self) -> None:
        with Sandbox.start(accounts=0) as sandbox:
            shop = open_shop(sandbox)
            assert shop.get("/v3/charges").status_code == 404
