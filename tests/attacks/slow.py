"""Many slow clients of one kind in one thread: they start a request and then send or read a byte every now and then."""

import asyncio
import base64
import os
import threading
from typing import Any

EVERY_S = 2.0
HOST = b"Host: localhost\r\n"
KEY = base64.b64encode(os.urandom(16))


def post(path: str, kind: str, more: str = "", method: str = "POST") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 900000\r\n{more}\r\n"
    )
    return head.encode()


def beginnings(training_id: int, upload: str) -> dict[str, bytes]:
    """The bytes that each kind of slow client sends at first."""
    form = post("/api/datasets", "multipart/form-data; boundary=b") + b"--b\r\nContent-Disposition: form-data; "
    tus = post(upload, "application/offset+octet-stream", "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n", "PATCH")
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY
    events = f"GET /api/trainings/{training_id}/events?after=99&wait=25 HTTP/1.1\r\n".encode()
    return {
        "silent connections": b"",
        "slow heads": b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: ",
        "slow JSON": post("/api/trainings", "application/json") + b"{",
        "slow forms": form,
        "slow chunks": tus + b"PK",
        "unread downloads": f"GET /api/trainings/{training_id}/download HTTP/1.1\r\n".encode() + HOST + b"\r\n",
        "long polls": events + HOST + b"\r\n",
        "silent websockets": b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" + HOST + upgrade + b"\r\n\r\n",
    }


DRIBBLE = {"slow heads", "slow JSON", "slow forms", "slow chunks"}


class SlowClients:
    """`count` clients that occupy a server; a context manager. A closed connection is reopened.

    Args:
        port: of the server on 127.0.0.1.
        kind: a key of `beginnings`; `beginning` its value.
    """

    def __init__(self, port: int, kind: str, beginning: bytes, count: int) -> None:
        self.port, self.kind, self.beginning, self.count = port, kind, beginning, count
        self.open = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "SlowClients":
        self.thread.start()
        for _ in range(self.count):
            asyncio.run_coroutine_threadsafe(self.live(), self.loop)
        return self

    def __exit__(self, *_: Any) -> None:
        asyncio.run_coroutine_threadsafe(self.leave(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()

    async def leave(self) -> None:
        """Close all connections, which would otherwise stay open for as long as this process lives."""
        clients = asyncio.all_tasks() - {asyncio.current_task()}
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport closes its socket in the next iteration of the loop

    async def live(self) -> None:
        while True:
            try:
                await self.one()
            except OSError:
                await asyncio.sleep(0.5)

    async def one(self) -> None:
        """One connection, until the server closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024)
        try:
            writer.write(self.beginning)
            self.open += 1
            while not reader.at_eof() and not writer.is_closing():
                await asyncio.sleep(EVERY_S)
                if self.kind in DRIBBLE:
                    writer.write(b"x")
                    await writer.drain()
        finally:
            self.open -= 1
            writer.transport.abort()
