"""A stream of NATS JetStream, as the relay writes to it."""

from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import NotFoundError

CURSOR: Final = "Roster-Cursor"
MESSAGE_ID: Final = "Nats-Msg-Id"
AFTER: Final = "Nats-Expected-Last-Sequence"
"""Which message of the stream this one is to follow; the server refuses it where another one was written meanwhile."""

MEDIA_TYPE: Final = "application/cloudevents+json"
WITHIN: Final = 5.0
"""Seconds for the server to answer, and for a connection to be made."""

WINDOW: Final = 600.0
"""Seconds for which a stream that is made here knows a message again. Beyond it, the relay looks what the stream's last message was."""


class StreamFault(Exception):
    """The stream can't be written to at the moment; the message says why."""


class EventStream:
    """The stream `name` on the server at `url`; subjects begin with `prefix`. Making one connects to nothing."""

    def __init__(self, url: str, name: str, prefix: str) -> None:
        self._servers = url.replace(",", " ").split()
        self.name = name
        self._prefix = prefix
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._last_seq = 0

    async def open(self) -> str | None:
        """Connect, make the stream if there is none, and tell the cursor of its last message; None when it has none. Raises StreamFault."""
        await self.close()
        try:
            self._client = await nats.connect(
                self._servers,
                name="roster-relay",
                connect_timeout=int(WITHIN),
                allow_reconnect=False,
                max_reconnect_attempts=1,
                error_cb=_tell_nobody,
            )
            self._stream = self._client.jetstream(timeout=WITHIN)
            return await self._last(self._stream)
        except Exception as error:  # of a dozen kinds: its own, of the system, of asyncio
            await self.close()
            raise StreamFault(f"{type(error).__name__}: {error}") from error

    async def publish(self, kind: str, body: bytes, *, message_id: str, cursor: str) -> bool:
        """Write an event; returns once the stream has it, False when it had it before.

        Raises StreamFault, also when somebody else has written to the stream since it was opened here.
        """
        if self._stream is None:
            raise StreamFault("there is no connection")
        headers = {MESSAGE_ID: message_id, AFTER: str(self._last_seq), CURSOR: cursor, "Content-Type": MEDIA_TYPE}
        try:
            ack = await self._stream.publish(f"{self._prefix}.{kind}", body, timeout=WITHIN, stream=self.name, headers=headers)
        except Exception as error:  # as above
            raise StreamFault(f"{type(error).__name__}: {error}") from error
        if not ack.duplicate:
            self._last_seq = ack.seq
        return not ack.duplicate

    async def close(self) -> None:
        """Cut the connection."""
        client, self._client, self._stream = self._client, None, None
        if client is not None and not client.is_closed:
            await client.close()

    async def _last(self, stream: JetStreamContext) -> str | None:
        """The cursor of the last message. Its place is asked for first: a message that comes between the two is found out by `publish`."""
        try:
            info = await stream.stream_info(self.name)
        except NotFoundError:
            subjects = [f"{self._prefix}.>"]
            made = StreamConfig(name=self.name, subjects=subjects, storage=StorageType.FILE, duplicate_window=WINDOW)
            info = await stream.add_stream(made)
        self._last_seq = info.state.last_seq
        try:
            message = await stream.get_last_msg(self.name, f"{self._prefix}.>")
        except NotFoundError:
            return None
        return str((message.headers or {}).get(CURSOR, ""))


async def _tell_nobody(error: Any) -> None:
    """What goes wrong comes out of the call that it concerns; the library would print it besides."""
