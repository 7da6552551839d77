"""How fast everybody is judged again from what is stored, customers with all that they have, in every system."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import select

from accounts.sandbox.configuration import configuration
from accounts.sandbox.server import Sandbox
from accounts.stripe.decoding import restored
from accounts.stripe.resources import BY_TYPE
from daemon import once
from daemon.bench.account import now
from daemon.bench.places import Place, migrated
from daemon.bench.result import Result
from daemon.engine.local import Runner
from daemon.settings import Configuration
from daemon.store.db import Store, open_store
from daemon.store.snapshots import SNAPSHOTS
from daemon.wiring.flows import connect

FLOOR: Final = "selecting the same snapshots in the order of their owners, and decoding them"


def measure(place: Place, customers: int, rounds: int) -> Iterator[Result]:
    with (
        tempfile.TemporaryDirectory(prefix="reconciled-bench-") as folder,
        Sandbox.start(accounts=1, customers=customers) as sandbox,
    ):
        configured = configure(sandbox, Path(folder), migrated(place))
        (account,) = [each.id for each in configured.settings.accounts]
        once.full_pass(configured, now, [account])
        yield _walked(place, configured, account, rounds)


def configure(sandbox: Sandbox, folder: Path, database: str, listen: str = "127.0.0.1:0") -> Configuration:
    """A daemon's configuration for this world, on this database and as fast as it is answered."""
    sandbox.on_loop(lambda: configuration(sandbox.world, sandbox.url, folder, listen=listen))
    file = folder / "reconciled.toml"
    text = file.read_text("utf-8").replace("sqlite:///reconciled.db", database)
    file.write_text(text.replace("[defaults]\n", "[defaults]\nread_share = 1.0\n"), "utf-8")
    return Configuration(file)


def _walked(place: Place, configured: Configuration, account: str, rounds: int) -> Result:
    with open_store(configured.settings.daemon.database.reveal()) as store:
        flows = connect(configured.settings, store, Runner({}, _begin), now, threading.Event())
        rejudging = flows.works.rejudging

        def walk() -> int:
            with store.transaction() as session:
                rejudging.request(session, [account])
            while rejudging.step(account):
                pass
            return 0

        try:
            walk()  # what is new by now is opened
            pairs = [(_timed(walk), _timed(lambda: _bare(store, account))) for _ in range(rounds)]
            subjects, objects = _counted(store, account)
        finally:
            flows.close()
    return Result(
        "sweep",
        "customers judged again from the store",
        {
            "subjects": subjects,
            "objects_a_subject": objects / subjects,
            "per_s": round(median(subjects / ours for ours, _ in pairs)),
            "floor_per_s": round(median(subjects / bare for _, bare in pairs)),
        },
        place.name,
        ratio=median(bare / ours for ours, bare in pairs),
        floor=FLOOR,
    )


def _timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _bare(store: Store, account: str) -> int:
    query = select(SNAPSHOTS.c.class_name, SNAPSHOTS.c.body).where(SNAPSHOTS.c.account == account)
    with store.reading() as session:
        rows = session.execute(query.order_by(SNAPSHOTS.c.customer)).all()
        return len([restored(BY_TYPE[name].shape, bytes(body)) for name, body in rows])


def _counted(store: Store, account: str) -> tuple[int, int]:
    with store.reading() as session:
        query = select(SNAPSHOTS.c.customer).where(SNAPSHOTS.c.account == account)
        owners = session.scalars(query).all()
    return len({each for each in owners if each is not None}), len(owners)


def _begin(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()
