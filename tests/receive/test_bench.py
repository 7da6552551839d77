"""The benchmark of webhooks works, and what it claims beside speed holds on a small scale, and in a burst."""

from pathlib import Path

from daemon.store import schema
from tests.bench import webhooks
from tests.bench.webhooks import send, serving, stored

BURST = 5_000
STRIPE_WAITS_S = 10  # at least; it publishes no number


def test_the_webhooks_benchmark_loses_nothing(tmp_path: Path) -> None:
    ours, bare = (f"sqlite:///{tmp_path / name}.db" for name in ("ours", "bare"))
    schema.upgrade(ours)
    schema.upgrade(bare)
    told = webhooks.measure("sqlite", ours, bare, rounds=1, requests=500, burst=500)
    assert (told["not_acknowledged"], told["lost"]) == (0, 0)
    assert stored(bare) <= stored(ours)  # the burst came to us alone


def test_a_burst_of_five_thousand_is_answered_in_time_and_whole(tmp_path: Path) -> None:
    """A18"""
    url = f"sqlite:///{tmp_path / 'reconciled.db'}"
    schema.upgrade(url)
    with serving("tests.bench.receiving", url) as port:
        burst = send(port, BURST, BURST, seed=1)
    assert burst.statuses == {"200": BURST}
    assert burst.p99_ms < STRIPE_WAITS_S * 1_000
    assert set(burst.events) == stored(url)
