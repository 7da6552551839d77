"""A process that sweeps and says every page, to be killed: `python -m tests.flows.sweeper CONFIGURATION DATABASE`."""

import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from daemon import logs
from daemon import settings as configured
from daemon.store.db import open_store
from daemon.sweep.report import Step
from tests.flows.rig import Flows


def sweep(configuration: Path, database: str) -> None:
    settings = configured.load(configuration)

    def wake(account: str) -> None:
        pass

    def after_pass(session: Session, account: str) -> Sequence[str]:
        return []

    def say(step: Step) -> None:
        sys.stdout.write(f"{step.resource} {step.objects}\n")
        sys.stdout.flush()

    with open_store(database) as store:
        flows = Flows(settings, store, lambda: datetime.now(UTC), threading.Event(), wake, after_pass)
        while flows.sweep.sweep(settings.accounts[0].id, watch=say).elsewhere:
            pass  # a server may take a moment to notice that the one before was killed
        flows.systems.close()


if __name__ == "__main__":
    logs.configure("json")
    sweep(Path(sys.argv[1]), sys.argv[2])
