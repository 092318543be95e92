"""The door of Socket.IO: packets that no client of ours sends are refused at once, and no connection sends without end.

python-socketio takes what comes: a damaged packet gets no answer, a wrong type holds its request for a minute, and one
connection's events run beside each other, as many as it sends.
"""

import io
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apiflask import APIFlask
from engineio.packet import CLOSE, MESSAGE, PING, PONG, UPGRADE
from flask import Response
from socketio.packet import ACK, CONNECT, DISCONNECT, EVENT
from socketio.packet import Packet as BasePacket

from app.bodies import Body, Pace
from app.errors import AppError
from app.extensions import socketio
from app.inputs import PacketJSON
from app.limits import Bucket, Slots, Waiting

MOST_BYTES = 1_000_000  # of one message
MOST_QUEUED = 10_000  # messages of one websocket that wait under threading; more is a flood
EVENTS, EVENTS_RATE = 30, 10.0  # of one connection: at once, and per second; a page sends about five
MESSAGES, MESSAGES_RATE = 200, 200.0  # of any kind; more have to wait
MOST_ROOMS = 100
SEPARATOR = "\x1e"  # of packets in a payload
MOST_PACKETS = 16  # in a payload; engineio's own limit

DAMAGED = "damaged"  # the event that a packet becomes which is none
RESERVED = {"connect", "disconnect", "connect_error", "*"}
FROM_POLLS = {str(kind) for kind in (CLOSE, PONG, MESSAGE, UPGRADE)}
FROM_WEBSOCKETS = FROM_POLLS | {str(PING)}


class Packet(BasePacket):
    """A Socket.IO packet; one that cannot be read becomes an event that its sender gets an error for."""

    json = PacketJSON

    def __init__(self, *arguments: Any, encoded_packet: Any = None, **options: Any) -> None:
        super().__init__(*arguments, encoded_packet=encoded_packet, **options)
        if encoded_packet is not None and not encoded_packet:  # not decoded at all
            self.data = [DAMAGED]

    def decode(self, encoded_packet: Any) -> int:
        try:
            if not isinstance(encoded_packet, str):
                raise ValueError("binary packets are not used here")
            super().decode(encoded_packet)
            if not self.plausible():
                raise ValueError("not a packet of a client")
        except (ValueError, TypeError, IndexError):
            self.packet_type, self.namespace, self.data = EVENT, None, [DAMAGED]
        return 0

    def plausible(self) -> bool:
        """Whether a client may send such a packet."""
        if self.packet_type == EVENT:
            named = isinstance(self.data, list) and bool(self.data) and isinstance(self.data[0], str)
            return named and self.data[0] not in RESERVED
        if self.packet_type == ACK:
            return isinstance(self.data, list)
        return self.packet_type in {CONNECT, DISCONNECT}


@dataclass
class Connection:
    """What one client has used of its limits."""

    events: Bucket = field(default_factory=lambda: Bucket(EVENTS, EVENTS_RATE))
    rooms: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=threading.Lock)  # its events run one at a time


class CheckedWebSocket:
    """A server's websocket whose messages are ours to read, each in its turn.

    Args:
        inner: eventlet's or simple-websocket's; its other attributes are passed through.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._bucket = Bucket(MESSAGES, MESSAGES_RATE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def wait(self) -> str | bytes | None:
        """The next message; None: the connection is over. One that floods is slowed down, and others come first."""
        socketio.sleep(self._bucket.take())
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
        self._inner.close()
        server = getattr(self._inner, "ws", None)
        if server is not None:
            try:
                server.sock.shutdown(2)
            except OSError:  # closed already
                pass


def fits(message: Any, kinds: set[str]) -> bool:
    """Whether engineio can read a message of a client."""
    if isinstance(message, bytes | bytearray):
        return True
    return isinstance(message, str) and message[:1] in kinds and len(message) <= MOST_BYTES


class Door:
    """A WSGI middleware around Socket.IO's.

    Args:
        inner: the application with Socket.IO in it.
        waiting: the places for those who wait.
    """

    def __init__(self, inner: Callable[..., Any], waiting: Waiting) -> None:
        self.inner, self.waiting = inner, waiting

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get("PATH_INFO", "").startswith("/socket.io/"):
            return self.inner(environ, start_response)
        environ["wsgi.errors"] = QuietErrors(environ["wsgi.errors"])
        if environ["REQUEST_METHOD"] == "POST":
            return self.post(environ, start_response)
        if "HTTP_UPGRADE" in environ:
            return self.within(self.waiting.websockets, environ, start_response)
        if "sid" in parse_qs(environ.get("QUERY_STRING", "")):
            return self.within(self.waiting.socket_polls, environ, start_response)
        return self.inner(environ, start_response)

    def within(self, slots: Slots, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve one that waits, or send it away when too many do."""
        if not slots.take():
            return Response("Too many connections.", 503, {"Retry-After": "5"})(environ, start_response)
        try:
            return self.inner(environ, start_response)
        finally:
            slots.give()

    def post(self, environ: dict[str, Any], start_response: Any) -> Any:
        """A payload is read whole and looked at first: engineio would hold a bad one until its ping timeout."""
        text = self.payload(environ)
        if text is None:
            return Response("Bad request.", 400)(environ, start_response)
        body = text.encode()
        return self.inner(environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start_response)

    def payload(self, environ: dict[str, Any]) -> str | None:
        """The body of a POST; None where it is no payload of a client. It is read to its end in any case: else the
        client would see a reset and not the answer."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = Body(environ["wsgi.input"], length, Pace(environ.get("gunicorn.socket")))
        kept = bytearray()
        try:
            while block := body.read(65536):
                if len(kept) <= MOST_BYTES:
                    kept += block
            text = kept.decode()
        except (AppError, ValueError):
            return None
        finally:
            body.close()
        return text if len(kept) <= MOST_BYTES and is_payload(text) else None


def is_payload(text: str) -> bool:
    """Whether each packet of a payload is one that engineio takes from a poll; JSONP and binary ones are not used."""
    packets = text.split(SEPARATOR)
    return len(packets) <= MOST_PACKETS and all(fits(packet, FROM_POLLS) for packet in packets)


class QuietErrors:
    """The server's error stream without eventlet's line, which never ends, for each websocket whose client is gone."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if "socket shutdown error" not in text:
            self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def with_own(origins: str | list[str] | None) -> Any:
    """The setting's origins, and this server's own: with a list alone, its own pages would be refused."""
    if origins is None or isinstance(origins, str):
        return origins

    def allows(origin: str | None, environ: Mapping[str, Any]) -> bool:
        return origin in origins or urlsplit(origin or "").netloc == environ.get("HTTP_HOST")

    return allows


def init_app(app: APIFlask, origins: str | list[str] | None) -> None:
    """Bind Socket.IO to the application, and put the door before it."""
    socketio.init_app(
        app,
        async_mode=app.config["SOCKETIO_ASYNC_MODE"],
        cors_allowed_origins=with_own(origins),
        max_http_buffer_size=MOST_BYTES,
        ping_interval=20,
        ping_timeout=20,
        async_handlers=False,  # the events of a connection run one after the other
        serializer=Packet,
        json=PacketJSON,
        logger=errors_only("yolo.socketio"),
        engineio_logger=errors_only("yolo.engineio"),
    )
    check_websockets(socketio.server.eio)
    app.wsgi_app = Door(app.wsgi_app, app.extensions["waiting"])  # type: ignore[method-assign]


def errors_only(name: str) -> logging.Logger:
    """A logger for a library that would else write to the terminal beside ours."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    return logger


def check_websockets(server: Any) -> None:
    """Let each websocket of an engineio server be read through CheckedWebSocket."""
    made = server._async["websocket"]

    def checked(handler: Callable[[Any], Any], *arguments: Any) -> Any:
        return made(lambda websocket: handler(CheckedWebSocket(websocket)), *arguments, **limits)

    limits = {"max_message_size": MOST_BYTES} if server.async_mode == "threading" else {}
    server._async = server._async | {"websocket": checked}
