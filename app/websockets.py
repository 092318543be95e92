"""Reads websockets under limits: each message is checked, and each connection is throttled."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from engineio.packet import CLOSE, MESSAGE, PING, PONG, UPGRADE

from app.extensions import socketio
from app.limits import Bucket

MOST_BYTES = 1_000_000  # per message
MOST_QUEUED = 10_000  # queued messages of one websocket under threading; more are a flood
# messages of any kind per websocket: burst, and per second; a page opens with five; beyond that, they share FLOOD of
# app/limits.py
MESSAGES, MESSAGES_RATE = 10, 2.0
BYTES, BYTES_RATE = 512 * 1024, 256 * 1024.0  # per websocket: burst, and per second; a page sends a few kB
FROM_POLLS = {str(kind) for kind in (CLOSE, PONG, MESSAGE, UPGRADE)}
FROM_WEBSOCKETS = FROM_POLLS | {str(PING)}


class CheckedWebSocket:
    """Wraps a server's websocket, checking and throttling its messages.

    Args:
        inner: eventlet's or simple-websocket's; its other attributes are passed through.
        flood: shared by all websockets that send more than a page does.
    """

    def __init__(self, inner: Any, flood: Bucket) -> None:
        self._inner, self._flood = inner, flood
        self._bucket = Bucket(MESSAGES, MESSAGES_RATE)
        slow_down(inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def wait(self) -> str | bytes | None:
        """The next message; None: the connection has ended. A flooding one is slowed down, by a second at most, the
        more the more of them do so; once it has disconnected, its queued messages are dropped.
        """
        floods = self._bucket.consume() > 0
        socketio.sleep(self._flood.spend(1) if floods else 0)
        if floods and not getattr(getattr(self._inner, "ws", None), "connected", True):
            return None
        message = self._inner.wait()
        queued = getattr(getattr(self._inner, "ws", None), "input_buffer", ())
        if not fits(message, FROM_WEBSOCKETS) or len(queued) > MOST_QUEUED:
            self.close()
            return None
        return message

    def send(self, message: Any) -> Any:
        return self._inner.send(message)

    def close(self) -> None:
        """End simple-websocket's reader, which would otherwise wait for a silent client and occupy two threads."""
        server = getattr(self._inner, "ws", None)
        if server is None:  # eventlet's
            self._inner.close()
            return
        from wsproto.utilities import LocalProtocolError  # simple-websocket has loaded it; eventlet needs none of it

        with suppress(LocalProtocolError):  # another thread or the client closes it at the same moment
            self._inner.close()
        with suppress(OSError):  # already closed
            server.sock.shutdown(2)


class SlowedSocket:
    """A websocket's connection whose bytes are read at a limited rate, sufficient for every page.

    The rest stays with its client: it neither fills the server's memory nor uses its CPU.

    Args:
        inner: a socket; its other attributes are passed through.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._bucket = Bucket(BYTES, BYTES_RATE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def recv(self, size: int) -> bytes:
        data = self._inner.recv(min(size, 65536))
        if seconds := self._bucket.spend(len(data)):
            socketio.sleep(seconds)
        return data


def slow_down(websocket: Any) -> None:
    """eventlet's websocket has the connection itself; simple-websocket's is inside engineio's adapter."""
    if (server := getattr(websocket, "ws", None)) is not None:
        server.sock = SlowedSocket(server.sock)
    elif hasattr(websocket, "socket"):
        websocket.socket = SlowedSocket(websocket.socket)


def unmasked(data: bytes, mask: Sequence[int], length: int | None = None, offset: int = 0) -> bytes:
    """The payload of a client's frame. eventlet's own loop over the bytes blocks the server for a tenth of a second per
    megabyte.
    """
    length = len(data) if length is None else length
    turned = bytes(mask[(offset + number) % 4] for number in range(4))
    key = (turned * (length // 4 + 1))[:length]
    return (int.from_bytes(data[:length], "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


def fits(message: Any, kinds: set[str]) -> bool:
    """Whether engineio can read a message of a client."""
    if isinstance(message, bytes | bytearray):
        return True
    return isinstance(message, str) and message[:1] in kinds and len(message) <= MOST_BYTES


def check_websockets(server: Any, flood: Bucket) -> None:
    """Wrap each websocket of an engineio server in CheckedWebSocket."""
    create = server._async["websocket"]

    def checked(handler: Callable[[Any], Any], *arguments: Any) -> Any:
        return create(lambda websocket: handler(CheckedWebSocket(websocket, flood)), *arguments, **limits)

    limits = {"max_message_size": MOST_BYTES} if server.async_mode == "threading" else {}
    if server.async_mode == "eventlet":
        from eventlet.websocket import RFC6455WebSocket

        RFC6455WebSocket._apply_mask = staticmethod(unmasked)
    server._async = server._async | {"websocket": checked}
