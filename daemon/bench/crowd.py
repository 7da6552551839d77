"""A crowd of senders in a process of its own: signed events over keep-alive connections, and what was answered.

    python -m daemon.bench.crowd PORT PATH SECRET COUNT CONNECTIONS [SEED]

It prints one line of JSON: how many were acknowledged, how fast, and the ids of those events. A sender that sends its
next request only after the answer to the last one measures what a server can do; COUNT connections, each with
one request, are a burst. Nothing is computed while it sends: every request was signed before.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import cast

import msgspec
import uvloop

from accounts.sandbox import objects
from accounts.secret import Secret
from accounts.stripe.signatures import sign

HOST = "127.0.0.1"
DUPLICATES = 0.3  # the share of requests that bring an event for the second time
SENDING_S = 30  # longer than any honest run; what is unanswered then counts as lost
CREATED, MONTH_S = 1_790_000_000, 30 * 86_400


@dataclass(frozen=True, slots=True)
class Outcome:
    requests: int
    acknowledged: int
    duplicates: int  # of the acknowledged, those that were said to be known
    statuses: dict[str, int]
    unanswered: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    cpu_s: float  # of this process: what the measuring itself took
    events: list[str]  # that were acknowledged, each once

    @property
    def per_s(self) -> float:
        return self.acknowledged / self.elapsed_s


def requests(path: str, secret: Secret, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Event ids and whole requests, ready to be sent."""
    chance = random.Random(seed)
    templates = _templates()
    at = int(time.time())
    sent: list[bytes] = []
    names: list[str] = []
    for number in range(count):
        if sent and chance.random() < DUPLICATES:
            again = chance.randrange(len(sent))
            yield names[again], sent[again]
            continue
        event = f"evt_{seed}x{number}"
        body = templates[number % len(templates)].replace(b"_OF_EVENT", f"_{seed}x{number}".encode())
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
            f"Accept: */*; q=0.5, application/xml\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Cache-Control: no-cache\r\nContent-Length: {len(body)}\r\n"
            f"Stripe-Signature: {sign(body, secret, at)}\r\n\r\n"
        )
        names.append(event)
        sent.append(head.encode() + body)
        yield event, sent[-1]


def _templates() -> list[bytes]:
    """Four types in equal parts, 2 to 7 KB, printed as Stripe prints them."""
    charge = objects.charge(
        "ch_OF_EVENT", created=CREATED, amount=4_900, currency="eur", customer="cus_OF_EVENT"
    )
    price = objects.price("price_1", created=CREATED, product="prod_1", currency="eur", unit_amount=4_900)
    item = objects.subscription_item(
        "si_OF_EVENT",
        created=CREATED,
        subscription="sub_OF_EVENT",
        price=price,
        period=(CREATED, CREATED + MONTH_S),
    )
    subscription = objects.subscription(
        "sub_OF_EVENT", created=CREATED, customer="cus_OF_EVENT", items=[item]
    )
    line = objects.invoice_line(
        "il_OF_EVENT", invoice="in_OF_EVENT", item=item, period=(CREATED, CREATED + MONTH_S)
    )
    invoice = objects.invoice(
        "in_OF_EVENT", created=CREATED, customer="cus_OF_EVENT", currency="eur", lines=[line], status="open"
    )
    dispute = objects.dispute(
        "du_OF_EVENT", created=CREATED, amount=4_900, currency="eur", charge="ch_OF_EVENT", due_by=None
    )
    told = (
        ("invoice.payment_failed", invoice),
        ("customer.subscription.updated", subscription),
        ("charge.refunded", charge),
        ("charge.dispute.created", dispute),
    )
    events = (objects.event("evt_OF_EVENT", created=CREATED, type=name, object=of) for name, of in told)
    return [msgspec.json.format(msgspec.json.encode(event), indent=2) for event in events]


class Sender(asyncio.Protocol):
    """One connection: sends, waits for the answer, sends the next."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._heard = b""
        self._event: str | None = None
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._next()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, separator, body = self._heard.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head[head.index(b"content-length: ") + 16 :].split(b"\r", 1)[0])
        if len(body) < length:
            return
        assert self._event is not None
        self._crowd.heard(self._event, head[9:12], body, time.perf_counter() - self._since)
        self._heard, self._event = b"", None
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._crowd.left()

    def _next(self) -> None:
        request = self._crowd.next()
        if request is None:
            self._transport.close()
            return
        self._event = request[0]
        self._since = time.perf_counter()
        self._transport.write(request[1])


class Crowd:
    def __init__(self, requests: list[tuple[str, bytes]], connections: int) -> None:
        self._requests = requests
        self._to_send = iter(requests)
        self._here = connections
        self._gone = asyncio.Event()
        self._took_s: list[float] = []
        self._events: dict[str, None] = {}
        self._statuses: Counter[str] = Counter()
        self._duplicates = 0

    def next(self) -> tuple[str, bytes] | None:
        return next(self._to_send, None)

    def heard(self, event: str, status: bytes, body: bytes, took_s: float) -> None:
        self._took_s.append(took_s)
        self._statuses[status.decode()] += 1
        if status == b"200":
            self._events[event] = None
            self._duplicates += b'"duplicate":true' in body

    def left(self) -> None:
        self._here -= 1
        if self._here <= 0:
            self._gone.set()

    async def send(self, port: int, connections: int) -> Outcome:
        loop = asyncio.get_running_loop()
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        opening = (loop.create_connection(lambda: Sender(self), HOST, port) for _ in range(connections))
        opened = await asyncio.gather(*opening, return_exceptions=True)
        for each in opened:
            if isinstance(each, BaseException):
                self.left()
        try:
            async with asyncio.timeout(SENDING_S):
                await self._gone.wait()
        except TimeoutError:
            pass
        took = sorted(self._took_s) or [0.0]
        return Outcome(
            requests=len(self._requests),
            acknowledged=self._statuses["200"],
            duplicates=self._duplicates,
            statuses=dict(self._statuses),
            unanswered=len(self._requests) - len(self._took_s),
            elapsed_s=time.perf_counter() - started_s,
            p50_ms=took[len(took) // 2] * 1_000,
            p99_ms=took[int(len(took) * 0.99)] * 1_000,
            cpu_s=time.process_time() - started_cpu_s,
            events=list(self._events),
        )


def main(port: int, path: str, secret: Secret, count: int, connections: int, seed: int = 1) -> None:
    async def run() -> Outcome:
        return await Crowd(prepared, connections).send(port, connections)

    prepared = list(requests(path, secret, count, seed))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(asdict(runner.run(run()))))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Secret(sys.argv[3]), *map(int, sys.argv[4:]))
