"""The sandbox must not be what a measurement measures: pages of 100 subscriptions, and many of them in memory."""

import tracemalloc

from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import World
from tests.sandbox.reading import measure, subscribe

PAGES_A_CORE_SECOND_MIN = (
    1000  # about a third of what an idle machine gives; counted in the thread's own time
)
BYTES_A_SUBSCRIPTION_MAX = 8_000  # 200,000 of them then stay under 1.6 GB


def test_a_core_gives_out_a_thousand_pages_of_a_hundred_a_second() -> None:
    with Sandbox.start(accounts=0) as sandbox:
        sandbox.on_loop(lambda: subscribe(sandbox.world, 2_000))
        reading = measure(sandbox, 400)
    assert reading.bytes_a_page > 200_000
    assert reading.pages_a_core_second >= PAGES_A_CORE_SECOND_MIN, reading


def test_a_subscription_in_memory_costs_a_few_kilobytes() -> None:
    world, many = World(seed=7, start=1_790_000_000), 1_000
    tracemalloc.start()
    try:
        subscribe(world, many)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / many <= BYTES_A_SUBSCRIPTION_MAX
