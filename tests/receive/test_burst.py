"""A burst: thousands of webhooks at once, each on a connection of its own."""

from daemon.bench.webhooks import OURS, send, serving, stored

BURST = 1_000  # of 5,000 tells `make bench`
STRIPE_WAITS_S = 10  # at least; it publishes no number


def test_a_burst_is_answered_in_time_and_whole(url: str) -> None:
    """Trap A18: everybody at once, over objects that overlap."""
    with serving(OURS, url) as port:
        burst = send(port, BURST, BURST, seed=1)
    assert burst.statuses == {"200": BURST}
    assert burst.p99_ms < STRIPE_WAITS_S * 1_000
    assert set(burst.events) == stored(url)
