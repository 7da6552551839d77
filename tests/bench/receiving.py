"""The daemon's receiver in a process of its own, with one account and nothing else to do.

    python -m tests.bench.receiving DATABASE SECRET

It prints its port, and serves at /webhooks/stripe/eu until it is asked to end, or killed.
"""

import os
import sys
from datetime import UTC, datetime

from accounts.registry import Registry
from daemon.engine.supervisor import Supervisor
from daemon.receive.route import Receiver
from daemon.serve import Server, Site, keep_for_good
from daemon.store.db import open_store
from tests.receive.places import account

SECRET_NAME = "RECEIVING_SECRET"
ACCOUNT = "eu"
PATH = f"/webhooks/stripe/{ACCOUNT}"
PATIENCE_S = 30


def main(database: str, secret: str) -> int:
    os.environ[SECRET_NAME] = secret
    supervisor = Supervisor()
    with open_store(database) as store:
        registry = Registry((account(ACCOUNT, SECRET_NAME),), ())
        receiver = Receiver(store, registry, lambda: datetime.now(UTC), lambda account: None)
        server = Server("127.0.0.1:0", Site(webhooks=receiver))
        receiver.start(supervisor.start)
        supervisor.start("serve", server.run)
        keep_for_good()
        print(server.port, flush=True)  # noqa: T201
        code = supervisor.wait()
        server.stop()
        receiver.stop()
        assert supervisor.join(PATIENCE_S) == []
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
