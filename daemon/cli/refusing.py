"""The desk's refusals, as sentences for whoever typed the command."""

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.cli.terminal import Failed
from daemon.desk.refusals import Refusal


@contextmanager
def sentences() -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        raise Failed(f"{refusal.sentence} ({refusal.code})") from None
