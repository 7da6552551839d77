"""The brake: too many new cases of one rule in one pass are held until the next pass agrees."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.model import Kind
from daemon.core.storm import storm

MISSING = Kind.CRM_RECORD_MISSING


def several(count: int, start: int = 0) -> frozenset[str]:
    return frozenset(f"fingerprint-{number}" for number in range(start, start + count))


def held(count: int, subjects: int, kind: Kind = MISSING, *, first_pass: bool = False) -> int:
    return len(
        storm({kind: several(count)}, subjects, first_pass=first_pass, held_before={}).get(kind, frozenset())
    )


def test_more_than_a_twentieth_and_at_least_twenty_are_held() -> None:
    assert held(21, 400) == 21
    assert held(20, 399) == 20
    assert held(20, 400) == 0  # exactly a twentieth
    assert held(19, 100) == 0
    assert held(20, 20) == 20


def test_a_first_pass_is_never_held() -> None:
    assert held(500, 500, first_pass=True) == 0


def test_only_rules_that_read_another_system_are_held() -> None:
    assert held(500, 500, Kind.DUPLICATE_CUSTOMER) == 0
    assert held(500, 500, Kind.PAYMENT_FAILED) == 0
    assert held(500, 500, Kind.DISPUTE_DEADLINE) == 0
    assert held(500, 500, Kind.PAYMENT_WITHOUT_ACCESS) == 500
    assert held(500, 500, Kind.REVENUE_MISMATCH) == 500


def test_what_the_next_pass_still_wants_is_released() -> None:
    wanted = {MISSING: several(100)}

    first = storm(wanted, 1000, first_pass=False, held_before={})
    assert first == wanted
    assert storm(wanted, 1000, first_pass=False, held_before=first) == {}


def test_an_outage_that_grows_holds_what_is_new_and_releases_what_was_agreed() -> None:
    first = storm({MISSING: several(100)}, 1000, first_pass=False, held_before={})

    second = storm({MISSING: several(900)}, 1000, first_pass=False, held_before=first)

    assert second == {MISSING: several(800, start=100)}


@given(st.integers(0, 300), st.integers(0, 5000), st.integers(0, 300))
def test_nothing_is_held_twice(count: int, subjects: int, before: int) -> None:
    kept = {MISSING: several(before)}

    found = storm({MISSING: several(count)}, subjects, first_pass=False, held_before=kept)

    assert not found.get(MISSING, frozenset()) & kept[MISSING]
