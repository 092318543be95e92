"""Limits concurrent large responses, since a client that does not read blocks a thread."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from apiflask import APIFlask
from flask_babel import gettext
from werkzeug.wsgi import ClosingIterator

from app.errors import Unavailable
from app.limits import Slots

LARGE = 256 * 1024  # bytes; smaller responses fit into the kernel's buffers without waiting for the client
LIMITED_PATHS = ("/api/", "/models/")
PUBLIC = "/source.tar"  # public, so it has its own slots


class LimitedDownloads:
    """A WSGI middleware that holds a slot for each large response until it is sent.

    Args:
        inner: the application.
        slots: for large responses.
        public: for those that need no login.
        refuse: the response if no slot is free.
    """

    def __init__(self, inner: Callable[..., Any], slots: Slots, public: Slots, refuse: Callable[..., Any]) -> None:
        self.inner, self.slots, self.public, self.refuse = inner, slots, public, refuse

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "GET" or not path.startswith((*LIMITED_PATHS, PUBLIC)):
            return self.inner(environ, start_response)
        slots = self.public if path == PUBLIC else self.slots
        begun: list[Any] = []
        pieces = self.inner(environ, lambda *start: begun.append(start))
        _status, headers = begun[-1][:2]
        if not is_large(headers):
            start_response(*begun[-1])
            return pieces
        if not slots.acquire():
            if hasattr(pieces, "close"):
                pieces.close()
            return self.refuse(environ, start_response)
        start_response(*begun[-1])
        return closing(pieces, slots.release, environ.get("wsgi.file_wrapper"))


def is_large(headers: list[tuple[str, str]]) -> bool:
    """Whether sending a response may take the client's time: by its length, or because it has none."""
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return not lengths or int(lengths[0]) > LARGE


def closing(pieces: Any, then: Callable[[], None], file_wrapper: Any) -> Any:
    """The pieces, with a callback when they are closed. The server's file wrapper is preserved: the kernel sends it."""
    if file_wrapper is None or not isinstance(pieces, file_wrapper):
        return ClosingIterator(pieces, then)
    close = getattr(pieces, "close", None)

    def both() -> None:
        then()
        if close is not None:
            close()

    pieces.close = both
    return pieces


def init_app(app: APIFlask) -> None:
    """Wrap the application."""

    def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with app.request_context(environ):
            busy = Unavailable(gettext("Too many downloads are running. Try again in a few seconds."))
            response = app.process_response(app.make_response(app.handle_user_exception(busy)))
            return response(environ, start_response)

    waiting = app.extensions["waiting"]
    app.wsgi_app = LimitedDownloads(app.wsgi_app, waiting.downloads, waiting.public_downloads, refuse)  # type: ignore
