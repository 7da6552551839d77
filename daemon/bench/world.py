"""A pretend Stripe in a process of its own, with one account that has so many subscriptions and nothing else.

    python -m daemon.bench.world SUBSCRIPTIONS

It prints where it is and with which key it is read, and ends when its standard input does.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from accounts.sandbox.business.opening import key_of
from accounts.sandbox.seeding import plant_many_subscriptions, planted_accounts
from accounts.sandbox.server import Sandbox
from daemon.bench.programs import running

START_S: Final = 300.0  # to make two hundred thousand


class World(msgspec.Struct, frozen=True):
    url: str
    account: str
    key: str


@contextmanager
def serving(subscriptions: int) -> Iterator[World]:
    with running("daemon.bench.world", subscriptions, start_s=START_S) as said:
        yield msgspec.json.decode(said, type=World)


def main(subscriptions: int) -> None:
    with Sandbox.start(accounts=1, customers=0) as sandbox:
        (account,) = planted_accounts(sandbox.world)
        # Larger than on_loop is willing to wait for; nobody else touches the world yet.
        plant_many_subscriptions(account, subscriptions)
        where = World(sandbox.url, account.id, key_of(account, "read"))
        sys.stdout.write(msgspec.json.encode(where).decode() + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
