"""What a measurement found: figures, the floor that they were compared with in the same run, and the mark."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

Figure = float | int | str | bool

DIGITS: Final = 3  # of a ratio; more would be noise


@dataclass(frozen=True, slots=True)
class Result:
    """One line. A machine that does other things as well slows both sides of a ratio; single times mean little."""

    bench: str
    what: str
    figures: Mapping[str, Figure]
    database: str | None = None
    ratio: float | None = None  # ours by the floor's; 1 is as fast as the least that does the same
    floor: str | None = None  # what that least is
    mark: str | None = None  # what is wanted, in words
    met: bool | None = None

    def line(self) -> str:
        said: dict[str, object] = {"bench": self.bench, "what": self.what, "database": self.database}
        said |= {name: _short(figure) for name, figure in self.figures.items()}
        said |= {"ratio": None if self.ratio is None else round(self.ratio, DIGITS), "floor": self.floor}
        said |= {"mark": self.mark, "met": self.met}
        return msgspec.json.encode({name: each for name, each in said.items() if each is not None}).decode()


def percentile(sorted_ones: list[float], share: float) -> float:
    return sorted_ones[min(int(len(sorted_ones) * share), len(sorted_ones) - 1)]


def _short(figure: Figure) -> Figure:
    if isinstance(figure, float):
        return round(figure, 1) if abs(figure) >= 1 else round(figure, DIGITS)
    return figure
