"""Hundreds of Socket.IO clients in one thread: the protocol is implemented here, since a real client has
three threads.
"""

import asyncio
import base64
import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any

TEXT, CLOSE = 1, 8


@dataclass
class Member:
    """A client; `received` holds (seconds by time.monotonic(), event, payload) in the order of arrival."""

    received: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    joined: int = 0
    writer: asyncio.StreamWriter | None = None


class Crowd:
    """`count` clients that join these rooms; a context manager.

    Args:
        port: of the server on 127.0.0.1.
        joins: events that are sent after connecting, each with its payload.
    """

    def __init__(self, port: int, count: int, joins: list[tuple[str, Any]]) -> None:
        self.port, self.joins = port, joins
        self.members = [Member() for _ in range(count)]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "Crowd":
        self.thread.start()
        self.tasks = [asyncio.run_coroutine_threadsafe(self.live(member), self.loop) for member in self.members]
        return self

    def __exit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        time.sleep(0.5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def joined(self) -> bool:
        """Whether all have joined their rooms; a client's exception is raised here."""
        for task in self.tasks:
            if task.done():
                task.result()
        return all(member.joined == len(self.joins) for member in self.members)

    async def live(self, member: Member) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await self.shake_hands(reader, writer)
            while (message := await read_message(reader)) is not None:
                self.on_packet(member, message, writer)
        finally:
            writer.close()

    async def shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise ConnectionError(answer[:200])

    def on_packet(self, member: Member, message: str, writer: asyncio.StreamWriter) -> None:
        """One packet of engine.io: 0 open, 2 ping, 40 connected, 42 event, 43 acknowledgement."""
        if message.startswith("0"):
            send(writer, "40")
        elif message == "2":
            send(writer, "3")
        elif message.startswith("40"):
            for number, (event, payload) in enumerate(self.joins):
                send(writer, f"42{number}{json.dumps([event, payload])}")
        elif message.startswith("42"):
            event, payload = json.loads(message[2:])
            member.received.append((time.monotonic(), event, payload))
        elif message.startswith("43"):
            answer = json.loads(message[message.index("[") :])[0]
            if not answer["ok"]:
                raise ConnectionError(answer)
            member.joined += 1


def send(writer: asyncio.StreamWriter, text: str) -> None:
    """A frame as clients send it: masked, here with a mask of zeros."""
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + len(data).to_bytes(2)
    writer.write(bytes([0x80 | TEXT]) + length + bytes(4) + data)


async def read_message(reader: asyncio.StreamReader) -> str | None:
    """The next text; None at the end."""
    message = b""
    while True:
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
        message += await reader.readexactly(length)
        if first & 0x0F == CLOSE:
            return None
        if first & 0x80:
            return message.decode()
