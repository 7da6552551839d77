"""A product that tells over HTTP what it gives to whom."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

import httpx

from accounts.entitlements.configuration import EntitlementHttp
from accounts.entitlements.shape import ENTITLEMENT_SHAPE
from accounts.errors import Refused
from accounts.facts import Entitlement
from accounts.sources import Page
from accounts.sources.web import WebRows


class HttpEntitlements:
    def __init__(
        self,
        source: str,
        product: EntitlementHttp,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._source = source
        self._write = product.write
        self._fields = product.fields.named()
        self._rows = WebRows(
            source,
            product,
            self._fields,
            ENTITLEMENT_SHAPE,
            now=now,
            monotonic=monotonic,
            transport=transport,
        )
        self.per_account = self._rows.per_account
        self.reads_one = product.read is not None
        self.updates = product.write.update is not None
        self.inserts = product.write.insert is not None

    def pages(
        self, stripe_account: str, *, afresh: bool = False, kept: bool = True
    ) -> Iterator[Page[Entitlement]]:
        return self._rows.pages(stripe_account, afresh=afresh, kept=kept)

    def entitlement(self, key: str, stripe_account: str) -> Entitlement | None:
        return self._rows.one(key, stripe_account)

    def update(self, entitlement: Entitlement, changes: Mapping[str, object]) -> None:
        if self._write.update is None:
            raise Refused(
                f"{self._source}: it cannot be written to; configure write.update.", code="read_only"
            )
        self._rows.change(self._write.update, entitlement.key, changes)

    def insert(self, entitlement: Entitlement) -> None:
        if self._write.insert is None:
            raise Refused(f"{self._source}: it takes nothing new; configure write.insert.", code="read_only")
        values = {name: value for name, value in asdict(entitlement).items() if value is not None}
        if "key" not in self._fields:
            del values["key"]
        self._rows.change(self._write.insert, entitlement.key, values)

    def close(self) -> None:
        self._rows.close()
