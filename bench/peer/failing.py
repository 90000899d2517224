"""A service that fails as it is told, and counts what it was asked: python -m bench.peer.failing PORT MOOD

bursts   for 300 ms of each second everything is a 503
slow     every twentieth answer takes 1.5 s
steady   nothing fails

GET /count answers how many requests came before.
"""

import asyncio
import sys
import time
from typing import Final, cast

import httptools
import uvloop

from bench.peer.upstream import BODY

BURST: Final = 0.3
SLOW_EACH, SLOWLY = 20, 1.5
ANSWER: Final = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Failing(asyncio.Protocol):
    count = 0
    mood = "steady"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        if self._url == b"/count":
            self._answer(b"200 OK", b"%d" % Failing.count)
            return
        Failing.count += 1
        last = self._url.rpartition(b"/")[2]
        body = BODY % (int(last) if last.isdigit() else 0)
        if self.mood == "bursts" and time.monotonic() % 1 < BURST:
            self._answer(b"503 Service Unavailable", b"{}")
        elif self.mood == "slow" and Failing.count % SLOW_EACH == 0:
            asyncio.get_running_loop().call_later(SLOWLY, self._answer, b"200 OK", body)
        else:
            self._answer(b"200 OK", body)

    def _answer(self, status: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER % (status, len(body), body))


async def main(port: int, mood: str) -> None:
    Failing.mood = mood
    server = await asyncio.get_running_loop().create_server(Failing, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
