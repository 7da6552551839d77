"""What is wrong in a file that a person wrote: where, in a sentence, and what was probably meant."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    where: str  # as one would write it: accounts.acme-eu.poll
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}" if self.where else self.sentence


def nearest(name: str, names: Iterable[str]) -> str:
    """What a sentence about an unknown name ends with; nothing where no name is near."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean “{near[0]}”?" if near else ""
