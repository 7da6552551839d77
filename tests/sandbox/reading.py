"""How fast the pretend Stripe gives out pages of subscriptions, and what it costs to hold them."""

import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from accounts.sandbox import objects
from accounts.sandbox.server import Sandbox
from accounts.sandbox.world import StripeAccount, World

KEY = "rk_live_reading000000"
CREATED = 1_780_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    pages: int
    bytes_a_page: int
    elapsed_s: float
    cpu_s: float  # of the sandbox's own thread

    @property
    def pages_a_core_second(self) -> float:
        return self.pages / self.cpu_s


def subscribe(world: World, many: int) -> StripeAccount:
    """An account with so many subscriptions, one a minute."""
    account = world.open_account("acct_reading", "reading")
    account.add_key(KEY)
    price = objects.price(
        "price_1", created=CREATED, product="prod_1", currency="usd", unit_amount=4900, lookup_key="pro_month"
    )
    for number in range(many):
        id_, created = f"sub_{number:024d}", CREATED + 60 * number
        item = objects.subscription_item(
            f"si_{number:024d}",
            created=created,
            subscription=id_,
            price=price,
            period=(created, created + 2_592_000),
        )
        customer = f"cus_{number:024d}"
        account.put(objects.subscription(id_, created=created, customer=customer, items=[item]))
    return account


def measure(sandbox: Sandbox, pages: int) -> Reading:
    """Reads that many pages of 100 over one connection, from another process, beginning anew at the end."""
    before_s, started = sandbox.on_loop(time.thread_time), time.perf_counter()
    reader = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.reading", sandbox.url, str(pages)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    elapsed_s = time.perf_counter() - started
    cpu_s = sandbox.on_loop(time.thread_time) - before_s
    return Reading(pages, int(reader.stdout), elapsed_s, cpu_s)


def _read(url: str, pages: int) -> int:
    host, _, port = url.removeprefix("http://").partition(":")
    size, after = 0, ""
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for _ in range(pages):
            cursor = f"&starting_after={after}" if after else ""
            connection.sendall(
                f"GET /v1/subscriptions?limit=100{cursor} HTTP/1.1\r\nHost: {host}\r\n"
                f"Authorization: Bearer {KEY}\r\n\r\n".encode()
            )
            body = _body(connection)
            size = max(size, len(body))
            last = body.rindex(b'{"id":"sub_')
            after = body[last + 7 : last + 35].decode() if b'"has_more":true,"data"' in body[:80] else ""
    return size


def _body(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    chunks, left = [body], length - len(body)
    while left:
        chunks.append(connection.recv(min(left, 1 << 20)))
        left -= len(chunks[-1])
    return b"".join(chunks)


if __name__ == "__main__":
    sys.stdout.write(str(_read(sys.argv[1], int(sys.argv[2]))))
