"""An installation that sends: the desk's rig with an executor, and all that goes out, as wiring puts it together.

with Office(sandbox, store, folder, more='[callbacks]\\nallow = ["127.0.0.1:9"]') as office:
    staged = office.asked("http://127.0.0.1:9/hook")
    office.decide(staged)
    office.send()
"""

import ssl
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, insert

from accounts.callbacks import Allowed, Caller
from accounts.callbacks.addresses import Resolve
from accounts.sandbox.business.opening import key_of
from accounts.sandbox.server import Sandbox
from daemon.deliver import PAUSES, Deliver
from daemon.desk.request import Staged
from daemon.store import callback_secrets
from daemon.store.db import Store
from daemon.wiring import secret_key
from daemon.wiring.executing import executor_of
from daemon.wiring.outward import outward
from tests.desk.rig import OUTBOX, TOKENS, Rig

Command = Callable[..., tuple[int, str]]  # by its words, to its exit code and what it printed
UNDO = timedelta(seconds=11)  # a little longer than an approval may be taken back
READS_ONLY = frozenset(
    f"rak_{name}_read" for name in ("charge", "refund", "payment_intent", "dispute", "accounts_kyc_basic")
)


class Office(Rig):
    def __init__(self, sandbox: Sandbox, store: Store, folder: Path, *, more: str) -> None:
        super().__init__(sandbox, store, folder, more=more)
        self.out = outward(self.settings, store, self.now, threading.Event())
        self.shop = self.agent("shop")
        with store.transaction() as session:
            session.execute(
                insert(TOKENS).values(
                    id=self.shop.id,
                    name="shop",
                    digest="d",
                    role="agent",
                    added_by="owner",
                    added_at=self.now(),
                )
            )

    def asked(self, url: str, **changes: Any) -> Staged:
        """A refund that a program asks for, and wants to be told of."""
        return self.stage(self.shop, self.charge(), callback_url=url, **changes)

    def decide(self, staged: Staged) -> None:
        """It is approved, and nobody can take that back any more."""
        self.approve(self.person("ana"), staged)
        self.later(seconds=UNDO.total_seconds())

    def act(self) -> None:
        executor_of(self.settings, self.works, self.desk, self.wakes, self.now).act(self.slug)

    def may_not_write(self) -> None:
        """The key of this account has lost the permission to refund."""
        account = self._accounts[self.slug]
        key = account.keys[key_of(account, "act")]
        self.sandbox.on_loop(lambda: setattr(key, "permissions", READS_ONLY))

    def deliver(
        self,
        allow: Sequence[str],
        resolve: Resolve,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> Deliver:
        """A sender in whose world names lead elsewhere, and others are trusted."""
        return Deliver(
            self.store,
            secret_key=secret_key(self.settings),
            caller=Caller(Allowed(allow), resolve=resolve, trust=trust),
            mailer=None,
            now=self.now,
            stop=threading.Event(),
        )

    def send(self, deliver: Deliver | None = None) -> list[str]:
        """Sends what is due now, to each receiver in turn; answers to whom."""
        sender = deliver or self.out.deliver
        with self.store.reading() as session:
            due = [receiver for _, receiver in sender.due(session, self.now())]
        for receiver in due:
            sender.run(receiver)
        return due

    def send_for_a_day(self, deliver: Deliver | None = None) -> None:
        """Every try that there is, each when it is due."""
        self.send(deliver)
        for pause in PAUSES:
            self.later(seconds=pause.total_seconds())
            self.send(deliver)

    def outbox(self, **wanted: Any) -> Sequence[Row[Any]]:
        return sorted(self.rows(OUTBOX, **wanted), key=lambda row: row.sequence)

    def secrets(self) -> list[str]:
        """What signs the shop's callbacks now, the newest first."""
        with self.store.reading() as session:
            held = callback_secrets.holding(session, secret_key(self.settings), self.shop.id, self.now())
        return [each.reveal() for each in held]

    def rotate(self) -> None:
        with self.store.transaction() as session:
            callback_secrets.rotate(session, self.shop.id, self.now())
