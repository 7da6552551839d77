"""What a sweep is to read, and what is stored of it afterwards."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from accounts.sandbox import objects
from daemon.sweep.classes import CLASSES
from tests.flows.rig import DAY_S, SNAPSHOTS, Rig

CUSTOMERS = tuple(each for each in CLASSES if each.resource.name == "customers")
HOURS = timedelta(hours=7)  # until everything is due again


def subscription(rig: Rig, id: str, now: int, items: int = 1) -> dict[str, Any]:
    price = next(iter(rig.world(lambda: list(rig.account.newest_first("price")))))
    made = [
        objects.subscription_item(
            f"si_{id}_{n}", created=now, subscription=id, price=price, period=(now, now + 30 * DAY_S)
        )
        for n in range(items)
    ]
    one = objects.subscription(id, created=now, customer="cus_1", items=made, livemode=rig.account.livemode)
    return rig.world(lambda: rig.account.put(one))


def statuses(rig: Rig, class_name: str) -> dict[str, str]:
    query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.status).where(SNAPSHOTS.c.class_name == class_name)
    return {row.id: row.status for row in rig.rows(query)}
