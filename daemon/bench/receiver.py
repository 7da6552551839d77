"""The daemon's receiver in a process of its own, with one account and nothing else to do.

    python -m daemon.bench.receiver DATABASE SECRET

It prints its port, and serves at /webhooks/stripe/eu until it is asked to end, or killed.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

from accounts.configuration import SecretRef
from accounts.registry import Account, Registry
from daemon.engine.supervisor import Supervisor
from daemon.receive.route import Receiver
from daemon.serve import Server, Site, keep_for_good
from daemon.store.db import open_store

SECRET_NAME: Final = "RECONCILED_BENCH_SECRET"  # noqa: S105 - of the variable that holds it
ACCOUNT: Final = Account(
    id="eu",
    stripe_account="acct_eu",
    livemode=True,
    read_key=SecretRef(env="NOT_READ_HERE"),
    webhook_secrets=(SecretRef(env=SECRET_NAME),),
    stripe_api="https://api.stripe.com",
    poll=timedelta(minutes=1),
    sweep=timedelta(hours=6),
    records=timedelta(minutes=15),
    settle=timedelta(minutes=10),
    mode="observe",
    read_share=0.2,
)
PATH: Final = f"/webhooks/stripe/{ACCOUNT.id}"
PATIENCE_S: Final = 30


def main(database: str, secret: str) -> int:
    os.environ[SECRET_NAME] = secret
    supervisor = Supervisor()
    with open_store(database) as store:
        registry = Registry((ACCOUNT,), ())
        receiver = Receiver(store, registry, lambda: datetime.now(UTC), lambda account: None)
        server = Server("127.0.0.1:0", Site(webhooks=receiver))
        receiver.start(supervisor.start)
        supervisor.start("serve", server.run)
        keep_for_good()
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        code = supervisor.wait()
        server.stop()
        receiver.stop()
        assert supervisor.join(PATIENCE_S) == []
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
