"""A piece of work for the person who owns a record."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Task:
    key: str  # of the record
    title: str
    body: str
    due: datetime
