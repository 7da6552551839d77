"""How fast subscriptions get from Stripe into judged state, beside the least that reads and keeps the same pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from daemon.bench.again import measure as judged_again
from daemon.bench.places import Place, migrated
from daemon.bench.reading import Taken, run
from daemon.bench.result import Result
from daemon.bench.world import serving

FLOOR: Final = (
    "fetch, decode and bulk upsert of the same pages: one connection, one cursor, a transaction a page"
)
RATIO_MIN: Final = 0.4
GROWTH_MIB_MAX: Final = 32  # from few to many: the database's own caches fill, and nothing else may


@dataclass(frozen=True, slots=True)
class Sizes:
    few: int = 20_000
    many: int = 200_000
    rounds: int = 3
    customers: int = 1_000  # of those that are judged again, with all that a customer has


QUICK: Final = Sizes(few=200, many=1_000, rounds=1, customers=20)


def measure(place: Place, sizes: Sizes) -> Iterator[Result]:
    with serving(sizes.few) as world:
        few = run("sweep", world, migrated(place))
    with serving(sizes.many) as world:
        # In turns, so that whatever else the machine does disturbs both.
        pairs = [
            (run("sweep", world, migrated(place)), run("bare-sweep", world, place.fresh()))
            for _ in range(sizes.rounds)
        ]
    yield _judged(place, sizes, pairs)
    yield _memory(place, sizes, few, [ours for ours, _ in pairs])
    yield from judged_again(place, sizes.customers, sizes.rounds)


def _judged(place: Place, sizes: Sizes, pairs: list[tuple[Taken, Taken]]) -> Result:
    ratio = median(bare.elapsed_s / ours.elapsed_s for ours, bare in pairs)
    complete = all(each.objects == sizes.many for pair in pairs for each in pair)
    return Result(
        "sweep",
        "subscriptions from Stripe into judged state",
        {
            "subscriptions": sizes.many,
            "complete": complete,
            "per_s": round(median(ours.objects / ours.elapsed_s for ours, _ in pairs)),
            "floor_per_s": round(median(bare.objects / bare.elapsed_s for _, bare in pairs)),
            "ratio_until_stored": median(bare.elapsed_s / ours.kept_s for ours, bare in pairs),
            "ratio_cpu": median(bare.cpu_s / ours.cpu_s for ours, bare in pairs),
        },
        place.name,
        ratio=ratio,
        floor=FLOOR,
        mark=f"ratio >= {RATIO_MIN}",
        met=complete and ratio >= RATIO_MIN,
    )


def _memory(place: Place, sizes: Sizes, few: Taken, many: list[Taken]) -> Result:
    growth_mib = max(each.peak_mib for each in many) - few.peak_mib
    return Result(
        "sweep",
        "peak memory of a sweep",
        {
            "few": sizes.few,
            "many": sizes.many,
            "peak_mib_few": few.peak_mib,
            "peak_mib_many": max(each.peak_mib for each in many),
        },
        place.name,
        mark=f"grows by less than {GROWTH_MIB_MAX} MiB",
        met=growth_mib < GROWTH_MIB_MAX,
    )
