"""All measurements by name, and how they are run: one after the other, each of them ending by itself."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from typing import Final

from daemon.bench import judge, places, queue, reads, sweep, webhooks
from daemon.bench.result import Result


class Name(StrEnum):
    WEBHOOKS = "webhooks"
    SWEEP = "sweep"
    JUDGE = "judge"
    QUEUE = "queue"
    READS = "reads"


ON_A_DATABASE: Final = {Name.WEBHOOKS: webhooks, Name.SWEEP: sweep, Name.QUEUE: queue}
WITHOUT: Final = {Name.JUDGE: judge, Name.READS: reads}


def run(names: Iterable[Name], servers: Iterable[str] = (), *, quick: bool = False) -> Iterator[Result]:
    """Measures on SQLite and on each of these servers. `quick`: so little that it only shows whether it works."""
    with ExitStack() as stack:
        where = [stack.enter_context(places.files())]
        where += [stack.enter_context(places.on(url)) for url in servers]
        for name in names:
            if name in WITHOUT:
                alone = WITHOUT[name]
                yield from alone.measure(alone.QUICK if quick else alone.Sizes())
                continue
            bench = ON_A_DATABASE[name]
            for place in where:
                yield from bench.measure(place, bench.QUICK if quick else bench.Sizes())
