"""A TCP proxy that does to connections what networks do, in a thread of its own, so that tests of real processes may use it.

with Proxy(port) as proxy:
    proxy.url                       # hands everything on
    with proxy.fault(Latency(0.5)):
        ...                         # and here late

| fault | what it does |
|---|---|
| Latency | everything comes late |
| Bandwidth | so many bytes a second |
| Slicer | small pieces, a pause after each |
| SlowClose | an end is told late |
| Timeout | nothing passes any more; the connection is closed after a while, or not |
| Reset | at the next byte both sides get a RST |
| Limit | so many bytes, then the end |
| Down | nobody listens, and what was open is cut |
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

T = TypeVar("T")
On = Literal["both", "requests", "answers"]
"""Which direction has the fault: what the connecting side sends are requests."""

_PIECE: Final = 64 * 1024
_TURN: Final = 0.05
"""Seconds between two pieces of a slow link."""
_RESET: Final = struct.pack("ii", 1, 0)


class Fault:
    """No fault: what comes is handed on as it comes, and an end as well."""

    refuses = False

    async def pass_on(self, way: "Way", data: bytes) -> None:
        """Hand some bytes on, or don't."""
        await way.write(data)

    async def end(self, way: "Way") -> None:
        """The sender has said its last."""
        way.write_eof()


@dataclass(frozen=True)
class Latency(Fault):
    """Every piece waits."""

    seconds: float

    async def pass_on(self, way: "Way", data: bytes) -> None:
        await way.pause(self.seconds)
        await way.write(data)


@dataclass(frozen=True)
class Bandwidth(Fault):
    """Bytes a second in each direction of a connection."""

    rate: int

    async def pass_on(self, way: "Way", data: bytes) -> None:
        await way.write_sliced(data, max(1, int(self.rate * _TURN)), max(_TURN, 1 / self.rate))


@dataclass(frozen=True)
class Slicer(Fault):
    """Pieces of at most `size` bytes, a pause after each."""

    size: int
    pause: float = 0.0

    async def pass_on(self, way: "Way", data: bytes) -> None:
        await way.write_sliced(data, self.size, self.pause)


@dataclass(frozen=True)
class SlowClose(Fault):
    """The end is told so many seconds late."""

    seconds: float

    async def end(self, way: "Way") -> None:
        await way.pause(self.seconds)
        way.write_eof()


@dataclass(frozen=True)
class Timeout(Fault):
    """What comes is lost, and the connection is cut after so many seconds, or when the fault is over."""

    seconds: float | None = None

    async def pass_on(self, way: "Way", data: bytes) -> None:
        await way.pause(self.seconds)
        way.link.cut()


@dataclass(frozen=True)
class Reset(Fault):
    """The next bytes are answered by a RST, after so many seconds."""

    seconds: float = 0.0

    async def pass_on(self, way: "Way", data: bytes) -> None:
        await way.pause(self.seconds)
        way.link.cut(reset=True)


@dataclass(frozen=True)
class Limit(Fault):
    """The connection ends after so many bytes of a direction, counted from the begin of the fault."""

    size: int

    async def pass_on(self, way: "Way", data: bytes) -> None:
        await way.write(data[: max(0, self.size - way.passed)])
        if way.passed >= self.size:
            way.link.end()


@dataclass(frozen=True)
class Down(Fault):
    """Connections are refused, and those that are open are cut."""

    refuses = True


class Link:
    """A connection through the proxy: two ways."""

    def __init__(self, proxy: "Proxy", client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self._ends = (client, server)

    def cut(self, *, reset: bool = False) -> None:
        """Give the connection up, on both sides; with `reset` they are told by a RST, whatever was under way."""
        for end in self._ends:
            if reset and (sock := end.get_extra_info("socket")) is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()

    def end(self) -> None:
        """Close both sides once what was handed on has been sent."""
        for end in self._ends:
            end.close()


class Way:
    """One direction of a connection. `passed` counts the bytes since the fault in force began."""

    def __init__(self, link: Link, on: On, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link, self.on = link, on
        self.passed = 0
        self._reader, self._writer = reader, writer
        self._fault: Fault | None = None

    async def run(self) -> None:
        """Hand on until the end."""
        while data := await self._reader.read(_PIECE):
            await self._in_force().pass_on(self, data)
        await self._in_force().end(self)

    async def write(self, data: bytes) -> None:
        self.passed += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def write_sliced(self, data: bytes, size: int, pause: float) -> None:
        """In pieces, as long as the fault lasts; what is left after that goes at once."""
        fault = self._fault
        while data and self._in_force() is fault:
            await self.write(data[:size])
            data = data[size:]
            await self.pause(pause)
        await self.write(data)

    def write_eof(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    async def pause(self, seconds: float | None) -> None:
        """Wait so long (None: for ever), and no longer than until the fault is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.link.proxy.changed.wait(), seconds)

    def _in_force(self) -> Fault:
        fault = self.link.proxy.fault_of(self.on)
        if fault is not self._fault:
            self._fault, self.passed = fault, 0
        return fault


class Proxy:
    """Listens on a free port of the loopback address, and connects to `target`, another one. Leaving the block ends it."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.changed: asyncio.Event
        """Set when the fault in force is another one."""
        self._target = target
        self._fault, self._on = Fault(), "both"
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._replace(Fault(), "both"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections through it."""
        return len(self._links)

    @contextlib.contextmanager
    def fault(self, fault: Fault, on: On = "both") -> Iterator[None]:
        """Within the block all connections have this fault, those that were open before as well."""
        self._do(self._replace(fault, on))
        try:
            yield
        finally:
            self._do(self._replace(Fault(), "both"))

    def fault_of(self, on: On) -> Fault:
        """The fault in force in a direction."""
        return self._fault if self._on in ("both", on) else Fault()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _replace(self, fault: Fault, on: On) -> None:
        previous, self._fault, self._on = getattr(self, "changed", None), fault, on
        self.changed = asyncio.Event()
        if previous is not None:
            previous.set()
        if fault.refuses:
            await self._close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._links.values())
        for link in list(self._links):
            link.cut(reset=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = Link(self, writer, server)
        task = asyncio.current_task()
        assert task is not None
        self._links[link] = task
        ways = Way(link, "requests", reader, server), Way(link, "answers", theirs, writer)
        try:
            async with asyncio.TaskGroup() as group:
                for way in ways:
                    group.create_task(way.run())
        except* (OSError, RuntimeError):  # one side has gone, whatever was under way
            pass
        except* asyncio.CancelledError:
            pass
        finally:
            del self._links[link]
            link.cut()
