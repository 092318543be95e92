"""Reads websockets under limits: each message is checked, and each connection has its pace."""

from collections.abc import Callable, Sequence
from typing import Any

from engineio.packet import CLOSE, MESSAGE, PING, PONG, UPGRADE
from wsproto.utilities import LocalProtocolError

from app.extensions import socketio
from app.limits import Bucket

MOST_BYTES = 1_000_000  # of one message
MOST_QUEUED = 10_000  # messages of one websocket that wait under threading; more is a flood
MESSAGES, MESSAGES_RATE = 10, 2.0  # of any kind; a page opens with five; those beyond share app/limits.py's FLOOD
BYTES, BYTES_RATE = 512 * 1024, 256 * 1024.0  # of one websocket: at once, and per second; a page sends a few kB
FROM_POLLS = {str(kind) for kind in (CLOSE, PONG, MESSAGE, UPGRADE)}
FROM_WEBSOCKETS = FROM_POLLS | {str(PING)}


class CheckedWebSocket:
    """A server's websocket whose messages are ours to read, each in its turn.

    Args:
        inner: eventlet's or simple-websocket's; its other attributes are passed through.
        flood: what all share that send more than a page does.
    """

    def __init__(self, inner: Any, flood: Bucket) -> None:
        self._inner, self._flood = inner, flood
        self._bucket = Bucket(MESSAGES, MESSAGES_RATE)
        slow_down(inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def wait(self) -> str | bytes | None:
        """The next message; None: the connection is over. One that floods is slowed down, the more the more do so, by a
        second at most; what it left behind is not read."""
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
        """simple-websocket's reader stays until its client says something: a silent one would hold two threads."""
        try:
            self._inner.close()
        except LocalProtocolError:  # another thread closes it at the same moment, or its client did
            pass
        server = getattr(self._inner, "ws", None)
        if server is not None:
            try:
                server.sock.shutdown(2)
            except OSError:  # closed already
                pass


class SlowedSocket:
    """The connection of a websocket, whose bytes are taken at a pace that is enough for each page.

    The rest waits with its client: it neither fills the server's memory nor keeps it busy.

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
    """Eventlet's websocket has its connection itself; simple-websocket's is within the adapter of engineio."""
    if (server := getattr(websocket, "ws", None)) is not None:
        server.sock = SlowedSocket(server.sock)
    elif hasattr(websocket, "socket"):
        websocket.socket = SlowedSocket(websocket.socket)


def unmasked(data: bytes, mask: Sequence[int], length: int | None = None, offset: int = 0) -> bytes:
    """What a client's frame says. eventlet's own loop over the bytes takes a tenth of a second for a megabyte, in which
    nobody is served."""
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
    """Let each websocket of an engineio server be read through CheckedWebSocket."""
    create = server._async["websocket"]

    def checked(handler: Callable[[Any], Any], *arguments: Any) -> Any:
        return create(lambda websocket: handler(CheckedWebSocket(websocket, flood)), *arguments, **limits)

    limits = {"max_message_size": MOST_BYTES} if server.async_mode == "threading" else {}
    if server.async_mode == "eventlet":
        from eventlet.websocket import RFC6455WebSocket

        RFC6455WebSocket._apply_mask = staticmethod(unmasked)
    server._async = server._async | {"websocket": checked}
