"""Limits how many large answers are sent at a time, since a client that does not read holds a thread."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from apiflask import APIFlask
from flask_babel import gettext
from werkzeug.wsgi import ClosingIterator

from app.errors import Unavailable
from app.limits import Slots

LARGE = 256 * 1024  # bytes; the kernel takes less than this without waiting for the client
LIMITED_PATHS = ("/api/", "/models/")
PUBLIC = "/source.tar"  # strangers get it, too, and none of the places of the others


class LimitedDownloads:
    """A WSGI middleware that holds a place for each large answer until it is sent.

    Args:
        inner: the application.
        slots: the places.
        public: those of what needs no login.
        refuse: answers where there is none.
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
    """Whether an answer may take its client's time to send: by its length, or none is announced."""
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return not lengths or int(lengths[0]) > LARGE


def closing(pieces: Any, then: Callable[[], None], file_wrapper: Any) -> Any:
    """The pieces, with something to do when they are closed. The server's own file stays one: the kernel sends it."""
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
    """Put the limit around the application."""

    def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with app.request_context(environ):
            busy = Unavailable(gettext("Too many downloads are running. Try again in a few seconds."))
            response = app.process_response(app.make_response(app.handle_user_exception(busy)))
            return response(environ, start_response)

    waiting = app.extensions["waiting"]
    app.wsgi_app = LimitedDownloads(app.wsgi_app, waiting.downloads, waiting.public_downloads, refuse)  # type: ignore
