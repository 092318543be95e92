"""Guards Socket.IO: malformed packets are refused at once, and no connection may send without limit.

python-socketio takes what comes: a damaged packet gets no answer, a wrong type holds its request for a minute, and one
connection's events run beside each other, as many as it sends.
"""

import io
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apiflask import APIFlask
from engineio.packet import CLOSE, MESSAGE, PING, PONG, UPGRADE
from flask import Response, request
from socketio.packet import ACK, CONNECT, DISCONNECT, EVENT
from socketio.packet import Packet as BasePacket
from wsproto.utilities import LocalProtocolError

from app.access.identify import Access, identify
from app.access.origins import refuse_foreign_origins
from app.access.principal import Principal
from app.bodies import Body, BodyDeadline
from app.config import settings
from app.errors import AppError, ForeignOrigin, LoginRequired
from app.extensions import socketio
from app.inputs import PacketJSON
from app.limits import Bucket, Slots, Waiting

MOST_BYTES = 1_000_000  # of one message
MOST_QUEUED = 10_000  # messages of one websocket that wait under threading; more is a flood
EVENTS, EVENTS_RATE = 30, 10.0  # of one connection: at once, and per second; a page sends about five
PAGE_JOINS, PAGE_JOINS_RATE = 5, 0.5  # of one connection; those beyond share app/limits.py's JOINS
MESSAGES, MESSAGES_RATE = 10, 2.0  # of any kind; a page opens with five; those beyond share app/limits.py's FLOOD
BYTES, BYTES_RATE = 512 * 1024, 256 * 1024.0  # of one websocket: at once, and per second; a page sends a few kB
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
    uses_binary_events = False  # else each message is searched for bytes, which takes longer than to encode it

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
    """Who one client is, and what it has used of its limits.

    Args:
        access: of the application that knows the principal.
    """

    principal: Principal | None = None
    access: Access | None = None
    events: Bucket = field(default_factory=lambda: Bucket(EVENTS, EVENTS_RATE))
    joins: Bucket = field(default_factory=lambda: Bucket(PAGE_JOINS, PAGE_JOINS_RATE))
    rooms: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=threading.Lock)  # its events run one at a time


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
        floods = self._bucket.take() > 0
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


class Door:
    """A WSGI middleware around Socket.IO's.

    Args:
        inner: the application with Socket.IO in it.
        waiting: the places for those who wait.
        may_enter: whether the one who makes a request is known to us.
    """

    def __init__(
        self, inner: Callable[..., Any], waiting: Waiting, may_enter: Callable[[dict[str, Any]], bool]
    ) -> None:
        self.inner, self.waiting, self.may_enter = inner, waiting, may_enter

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get("PATH_INFO", "").startswith("/socket.io/"):
            return self.inner(environ, start_response)
        environ["wsgi.errors"] = QuietErrors(environ["wsgi.errors"])
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "j" in query:  # JSONP, which a script of any site may read
            return Response("Bad request.", 400)(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            return self.post(environ, start_response)
        begins = "sid" not in query
        if begins and not self.may_enter(environ):
            return Response("Log in first.", 401)(environ, start_response)
        if "HTTP_UPGRADE" in environ:
            return self.within(self.waiting.websockets, environ, start_response)
        if not begins:
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
        body = Body(environ["wsgi.input"], length, BodyDeadline(environ.get("gunicorn.socket")))
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
        client_manager=queue_of(settings(app).REDIS_URL),
        async_mode=settings(app).SOCKETIO_ASYNC_MODE,
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
    check_websockets(socketio.server.eio, app.extensions["waiting"].flood)
    app.wsgi_app = Door(app.wsgi_app, app.extensions["waiting"], knows(app, origins or []))  # type: ignore[method-assign]


def queue_of(redis_url: str) -> Any:
    """Through which messages reach the clients of other processes; None: there are none."""
    if not redis_url:
        return None
    from app.cluster.queue import message_queue  # not at import: one process alone needs no Redis

    return message_queue(redis_url)


def knows(app: APIFlask, allowed: str | list[str]) -> Callable[[dict[str, Any]], bool]:
    """A function that says whether a request's maker is known, and no other site's page makes it."""

    def may_enter(environ: dict[str, Any]) -> bool:
        with app.request_context(environ):
            try:
                principal = identify(request)
                if principal is not None and "HTTP_ORIGIN" not in environ:  # else engineio looks at it
                    refuse_foreign_origins(request, allowed, principal.by_browser)
            except (LoginRequired, ForeignOrigin):
                return False
            return principal is not None

    return may_enter


def errors_only(name: str) -> logging.Logger:
    """A logger for a library that would else write to the terminal beside ours."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    return logger


def check_websockets(server: Any, flood: Bucket) -> None:
    """Let each websocket of an engineio server be read through CheckedWebSocket."""
    made = server._async["websocket"]

    def checked(handler: Callable[[Any], Any], *arguments: Any) -> Any:
        return made(lambda websocket: handler(CheckedWebSocket(websocket, flood)), *arguments, **limits)

    limits = {"max_message_size": MOST_BYTES} if server.async_mode == "threading" else {}
    if server.async_mode == "eventlet":
        from eventlet.websocket import RFC6455WebSocket

        RFC6455WebSocket._apply_mask = staticmethod(unmasked)
    server._async = server._async | {"websocket": checked}
