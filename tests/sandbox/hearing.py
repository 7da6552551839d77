"""A receiver of webhooks on loopback, in the same event loop as the world that sends them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

Json = dict[str, Any]

WAIT_S = 60.0  # far longer than any delivery on loopback; a test that waits so long has failed


@dataclass
class Heard:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Json:
        return msgspec.json.decode(self.body, type=dict[str, Any])


@dataclass
class Receiver:
    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    status: Callable[[Heard], int] = lambda heard: 200  # what is answered
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def ids(self) -> list[str]:
        return [each.event["id"] for each in self.heard]

    async def until(self, count: int) -> list[Heard]:
        """Waits until so many requests have come."""
        async with asyncio.timeout(WAIT_S), self._more:
            await self._more.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                headers = {}
                while (header := (await reader.readline()).decode().strip()) != "":
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                heard = Heard(line.decode().split(" ")[1], headers, body)
                status = self.status(heard)
                writer.write(f"HTTP/1.1 {status} -\r\ncontent-length: 0\r\nlocation: /\r\n\r\n".encode())
                await writer.drain()
                async with self._more:
                    self.heard.append(heard)
                    self._more.notify_all()
        finally:
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
