"""An event that got a 2xx is never lost: the process is killed in a storm, and each such event is there."""

import json
import signal
import subprocess
import sys
import threading

from sqlalchemy import func, select

from daemon.bench.crowd import Outcome
from daemon.bench.receiver import PATH
from daemon.store.db import open_store
from daemon.store.inbox import INBOX

SECRET = "whsec_crash"
REQUESTS, CONNECTIONS = 50_000, 16  # more than are ever sent before the end
ENOUGH = 300  # stored, and the process is killed
WAIT_S = 60


def count(url: str) -> int:
    with open_store(url) as store, store.reading() as session:
        return session.scalar(select(func.count()).select_from(INBOX)) or 0


def test_every_acknowledged_event_survives_a_kill(url: str) -> None:
    """Trap A7: killed in the middle of a storm."""
    receiving = subprocess.Popen(
        [sys.executable, "-m", "daemon.bench.receiver", url, SECRET], stdout=subprocess.PIPE, text=True
    )
    assert receiving.stdout is not None
    port = receiving.stdout.readline().strip()
    sending = subprocess.Popen(
        [sys.executable, "-m", "daemon.bench.crowd", port, PATH, SECRET, str(REQUESTS), str(CONNECTIONS)],
        stdout=subprocess.PIPE,
        text=True,
    )
    tick = threading.Event()
    while count(url) < ENOUGH:
        assert sending.poll() is None
        assert receiving.poll() is None
        tick.wait(0.01)
    receiving.send_signal(signal.SIGKILL)
    told, _ = sending.communicate(timeout=WAIT_S)
    receiving.communicate(timeout=WAIT_S)
    outcome = Outcome(**json.loads(told))

    assert outcome.unanswered > 0
    assert len(outcome.events) >= ENOUGH / 2
    with open_store(url) as store, store.reading() as session:
        stored = set(session.scalars(select(INBOX.c.event_id)))
    assert set(outcome.events) <= stored
