"""How fast subscriptions are read in pages, beside bare httpx with the same decoding, and how much memory it takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from daemon.bench.reading import run
from daemon.bench.result import Result
from daemon.bench.world import serving

FLOOR: Final = "httpx with one connection and one cursor, the same query and the same decoding"


@dataclass(frozen=True, slots=True)
class Sizes:
    few: int = 20_000
    many: int = 200_000
    rounds: int = 3


QUICK: Final = Sizes(few=500, many=2_000, rounds=1)


def measure(sizes: Sizes) -> Iterator[Result]:
    with serving(sizes.few) as world:
        few = run("pages", world)
    with serving(sizes.many) as world:
        # In turns, so that whatever else the machine does disturbs both.
        pairs = [(run("pages", world), run("bare", world)) for _ in range(sizes.rounds)]
    yield Result(
        "reads",
        "subscriptions read in pages",
        {
            "subscriptions": pairs[0][0].objects,
            "complete": all(each.objects == sizes.many for pair in pairs for each in pair),
            "per_s": round(median(each.objects / each.elapsed_s for each, _ in pairs)),
            "floor_per_s": round(median(each.objects / each.elapsed_s for _, each in pairs)),
            "ratio_cpu": median(bare.cpu_s / ours.cpu_s for ours, bare in pairs),
            "peak_mib_few": few.peak_mib,
            "peak_mib_many": max(ours.peak_mib for ours, _ in pairs),
        },
        ratio=median(bare.elapsed_s / ours.elapsed_s for ours, bare in pairs),
        floor=FLOOR,
    )
