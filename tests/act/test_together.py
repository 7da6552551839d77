"""Many refunds, many threads, and a Stripe that answers badly: each is made once, and none is lost."""

import random
import threading
from collections import Counter
from datetime import timedelta

from tests.act.world import World, ours

REFUNDS = 40
THREADS = 8
TOGETHER_S = 60.0  # whoever takes longer hangs


def test_forty_refunds_by_eight_threads_with_every_bad_answer_are_each_made_once(world: World) -> None:
    """Lost answers, stored 500s, 429s, lock timeouts and calls that never arrive, while eight executors compete."""
    rows = [
        (charge := world.charge(), world.approved(charge, expires_in=timedelta(days=1)))
        for _ in range(REFUNDS)
    ]
    world.fault(answers_lost=6, writes_lost=4, errors_before_write=4, errors_after_write=4, lock_timeouts=6)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            order = rows[:]
            random.Random(seed).shuffle(order)
            executor = world.executor()
            for _, row in order:
                executor.carry_out(row)
            executor.act(world.slug)
        except BaseException as failure:
            failures.append(failure)

    retried: Counter[str] = Counter()
    for _ in range(12):
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TOGETHER_S)
        assert not failures
        world.later(minutes=7)
        unfinished = world.unfinished()
        if not unfinished:
            break
        for row in unfinished:
            if row.state in ("unknown", "failed") and world.retry(row.id):
                retried[row.id] += 1
    assert [world.state(row) for _, row in rows] == ["succeeded"] * REFUNDS
    assert [len(world.refunds(charge)) for charge, _ in rows] == [1] * REFUNDS
    assert all(ours(world.refunds(charge), row.id) for charge, row in rows)
    assert retried, "a stored failure needs a person"
    assert set(retried.values()) == {1}
    assert world.journal().count("attempt_succeeded") == REFUNDS
