"""Tokens and codes: random, checked for typos, and hidden from logs."""

from hypothesis import given
from hypothesis import strategies as some

from accounts.secret import redact
from daemon.desk.credentials import DIGITS, digest, kind_of, make

RANDOM = some.binary(min_size=32, max_size=32)


@given(RANDOM)
def test_what_is_made_is_known_again(random: bytes) -> None:
    for kind in ("token", "invitation"):
        made = make(kind, lambda _: random)
        assert kind_of(made) == kind


@given(RANDOM, some.integers(4, 52), some.sampled_from(DIGITS))
def test_a_typo_is_told_from_another_token(random: bytes, place: int, digit: str) -> None:
    made = make("token", lambda _: random)
    mistyped = made[:place] + digit + made[place + 1 :]
    assert kind_of(mistyped) is None or mistyped == made
    assert kind_of(made[:place] + made[place + 1 :]) is None


@given(RANDOM)
def test_no_part_of_one_stays_in_a_log(random: bytes) -> None:
    for made in (make("token", lambda _: random), make("invitation", lambda _: random)):
        assert redact(f"sent {made} to https://example.com/login#{made}").count(made[12:]) == 0


def test_two_are_never_alike_and_their_digests_neither() -> None:
    made = {make("token") for _ in range(100)}
    assert len(made) == len({digest(each) for each in made}) == 100


@given(some.text(max_size=80))
def test_whatever_is_shown_is_no_token(text: str) -> None:
    assert kind_of(text) is None
