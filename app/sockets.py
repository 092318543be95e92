"""Guards Socket.IO: malformed packets are refused at once, and no connection may send without limit.

python-socketio accepts anything: a damaged packet gets no answer, a wrong type blocks its request for a minute, and the
events of one connection run concurrently without limit.
"""

import io
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from apiflask import APIFlask
from flask import Response, request
from socketio.packet import ACK, CONNECT, DISCONNECT, EVENT
from socketio.packet import Packet as BasePacket

from app.access.identify import Access, identify
from app.access.origins import refuse_foreign_origins
from app.access.principal import Principal
from app.bodies import Body, BodyDeadline
from app.config import settings
from app.errors import AppError, ForeignOrigin, LoginRequired
from app.extensions import socketio
from app.inputs import PacketJSON
from app.limits import Bucket, Slots, Waiting
from app.websockets import FROM_POLLS, MOST_BYTES, check_websockets, fits

EVENTS, EVENTS_RATE = 30, 10.0  # per connection: burst, and per second; a page sends about five
PAGE_JOINS, PAGE_JOINS_RATE = 5, 0.5  # per connection; beyond that, joins share JOINS of app/limits.py
MOST_ROOMS = 100
SEPARATOR = "\x1e"  # between packets in a payload
MOST_PACKETS = 16  # in a payload; engineio's own limit

DAMAGED = "damaged"  # the event name of an unreadable packet
RESERVED = {"connect", "disconnect", "connect_error", "*"}


class Packet(BasePacket):
    """A Socket.IO packet; an unreadable one becomes an event that is answered with an error."""

    json = PacketJSON
    uses_binary_events = False  # otherwise each message is searched for bytes, which takes longer than encoding it

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
    """A client's principal and its rate limits.

    Args:
        access: of the application that has the principal.
    """

    principal: Principal | None = None
    access: Access | None = None
    events: Bucket = field(default_factory=lambda: Bucket(EVENTS, EVENTS_RATE))
    joins: Bucket = field(default_factory=lambda: Bucket(PAGE_JOINS, PAGE_JOINS_RATE))
    rooms: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=threading.Lock)  # its events run one at a time


class Door:
    """A WSGI middleware around Socket.IO's.

    Args:
        inner: the application with Socket.IO.
        waiting: the slots for waiting requests.
        is_allowed: whether the sender of a request is authenticated.
    """

    def __init__(
        self, inner: Callable[..., Any], waiting: Waiting, is_allowed: Callable[[WSGIEnvironment], bool]
    ) -> None:
        self.inner, self.waiting, self.is_allowed = inner, waiting, is_allowed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith("/socket.io/"):
            return self.inner(environ, start_response)
        environ["wsgi.errors"] = QuietErrors(environ["wsgi.errors"])
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "j" in query:  # JSONP, which scripts of any site can read
            return Response("Bad request.", 400)(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            return self.post(environ, start_response)
        begins = "sid" not in query
        if begins and not self.is_allowed(environ):
            return Response("Log in first.", 401)(environ, start_response)
        if "HTTP_UPGRADE" in environ:
            return self.within(self.waiting.websockets, environ, start_response)
        if not begins:
            return self.within(self.waiting.socket_polls, environ, start_response)
        return self.inner(environ, start_response)

    def within(self, slots: Slots, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a waiting request, or refuse it if no slot is free."""
        if not slots.acquire():
            return Response("Too many connections.", 503, {"Retry-After": "5"})(environ, start_response)
        try:
            return self.inner(environ, start_response)
        finally:
            slots.release()

    def post(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Read and check a payload completely: engineio would block a bad one until its ping timeout."""
        text = self.payload(environ)
        if text is None:
            return Response("Bad request.", 400)(environ, start_response)
        body = text.encode()
        return self.inner(environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start_response)

    def payload(self, environ: WSGIEnvironment) -> str | None:
        """The body of a POST; None if it is not a client's payload. It is read completely in any case: otherwise the
        client would see a reset instead of the response.
        """
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = Body(environ["wsgi.input"], length, BodyDeadline(environ.get("gunicorn.socket")))
        received = bytearray()
        try:
            while block := body.read(65536):
                if len(received) <= MOST_BYTES:
                    received += block
            text = received.decode()
        except (AppError, ValueError):
            return None
        finally:
            body.close()
        return text if len(received) <= MOST_BYTES and is_payload(text) else None


def is_payload(text: str) -> bool:
    """Whether engineio accepts each packet of a payload from a poll; JSONP and binary payloads are not supported."""
    packets = text.split(SEPARATOR)
    return len(packets) <= MOST_PACKETS and all(fits(packet, FROM_POLLS) for packet in packets)


class QuietErrors:
    """The server's error stream, without eventlet's message for each disconnected websocket."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if "socket shutdown error" not in text:
            self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def with_same_origin(origins: str | list[str] | None) -> Any:
    """The setting's origins, and this server's own, which a list alone would exclude."""
    if origins is None or isinstance(origins, str):
        return origins

    def allows(origin: str | None, environ: Mapping[str, object]) -> bool:
        return origin in origins or urlsplit(origin or "").netloc == environ.get("HTTP_HOST")

    return allows


def init_app(app: APIFlask, origins: str | list[str] | None) -> None:
    """Bind Socket.IO to the application, and the middleware in front of it."""
    socketio.init_app(
        app,
        client_manager=queue_of(settings(app).REDIS_URL),
        async_mode=settings(app).SOCKETIO_ASYNC_MODE,
        cors_allowed_origins=with_same_origin(origins),
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
    """The message queue to the clients of other processes; None: there are none."""
    if not redis_url:
        return None
    from app.cluster.queue import message_queue  # not at import: a single process needs no Redis

    return message_queue(redis_url)


def knows(app: APIFlask, allowed: str | list[str]) -> Callable[[WSGIEnvironment], bool]:
    """A predicate: whether a request is authenticated and not caused by another site."""

    def is_allowed(environ: WSGIEnvironment) -> bool:
        with app.request_context(environ):
            try:
                principal = identify(request)
                # with an Origin header, engineio checks the request
                if principal is not None and "HTTP_ORIGIN" not in environ:
                    refuse_foreign_origins(request, allowed, principal.by_browser)
            except (LoginRequired, ForeignOrigin):
                return False
            return principal is not None

    return is_allowed


def errors_only(name: str) -> logging.Logger:
    """A logger for a library that would otherwise print to the terminal."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    return logger
