"""What every panel is answered at the end of a day that begins well: a few minutes stand for six hours."""

import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.grafana.plays import incident
from tests.grafana.programs import Prometheus
from tests.grafana.questions import opened, panels
from tests.grafana.scene import QUICK, Scene, played

ACCOUNTS: Final = 6
BEFORE_S: Final = 45.0  # for what was found in the first pass to be over
CALM_S: Final = 120.0
TROUBLE_S: Final = 120.0
PAST_THE_MINUTE_S: Final = 40.0  # an axis does not end just where a moment is written
STEP_S: Final = 2.0
WINDOW_S: Final = 15.0  # what `opened` has for $__rate_interval
PACE: Final = QUICK + 'sweep = "1m"\n'  # so that one account is seen to go stale
TRADING: Final = ("acme-eu", "acme-us", "acme-test", "acme-kw", "acme-uk")
DECIDED: Final = ("approve", "approve", "approve", "reject", None)
ASKS: Final = 0.3  # how likely an agent asks for a refund, each time that customers pay

Board = Mapping[str, Any]


def gathered(folder: Path, boards: list[Board]) -> list[dict[str, Any]]:
    """Each board with the answers to its panels, by their ids and in the order of their targets."""
    with played(folder, accounts=ACCOUNTS, pace=PACE) as scene:
        _trade(scene, time.time() + BEFORE_S, ASKS)
        start = time.time()
        _trade(scene, start + CALM_S, ASKS)
        incident(scene)
        end = time.time() + TROUBLE_S
        end += (PAST_THE_MINUTE_S - end) % 60
        _trade(scene, end, 0)
        return [
            {
                "board": board,
                "answers": {
                    panel["id"]: _answers(scene.prometheus, panel, start, end)
                    for panel in panels(dict(board))
                },
                "from": start * 1000,
                "to": end * 1000,
            }
            for board in boards
        ]


def _trade(scene: Scene, until: float, asks: float) -> None:
    """Customers pay here and there; agents ask for refunds, and people decide."""
    chance, pause = random.Random(7), threading.Event()
    while time.time() < until:
        scene.customers_pay(chance.choice(TRADING), chance.randrange(1, 6))
        if chance.random() < asks:
            scene.refund(chance.choice(TRADING[:2]), chance.choice(DECIDED))
        pause.wait(chance.random() * 2)


def _answers(prometheus: Prometheus, panel: Board, start: float, end: float) -> dict[str, Any]:
    """Where a point must stand for some time, it does for as long as a rate looks back."""
    step_s = WINDOW_S if "interval" in panel else STEP_S
    found = []
    for each in panel.get("targets", ()):
        expr = opened(each["expr"])
        if each["instant"]:
            found.append([{**series, "values": [series["value"]]} for series in prometheus.at(expr, end)])
        else:
            found.append(prometheus.drawn(expr, start, end, step_s))
    return {"interval": step_s * 1000, "series": found}
