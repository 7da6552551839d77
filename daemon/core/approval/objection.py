"""Why somebody may not do what they ask for: a word that programs read, and a sentence for people."""

from dataclasses import dataclass
from typing import Literal

Code = Literal["role", "self_approval", "limit"]


@dataclass(frozen=True, slots=True)
class Objection:
    code: Code
    sentence: str
