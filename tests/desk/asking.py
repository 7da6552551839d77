"""Policies that ask for several votes, and what the desk says to one."""

from typing import Any

import pytest

from daemon.desk.refusals import Refusal
from tests.desk.rig import Rig

TWO = '[[approve]]\naction = "refund"\napprovers = 2\n'
THREE = '[[approve]]\naction = "refund"\napprovers = 3\n'


def refusal_of(what: Any, *given: Any, **named: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        what(*given, **named)
    return refused.value


def holds(rig: Rig, row: Any) -> str | None:
    with rig.store.reading() as session:
        return rig.desk.holds(session, row, rig.now())
