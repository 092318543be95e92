"""Reads request bodies straight from the connection onto the data volume, in steps between which others are served."""

import io
import os
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any, ClassVar, TypeVar

from flask import Request

from app.deadlines import DEADLINES
from app.errors import AppError, CutShort, TooSlow
from app.extensions import socketio
from app.forms import FormParser
from app.threads import run_blocking

YIELD_BYTES = 1024 * 1024
PATIENT_S, HURRIED_S = 30.0, 3.0  # until a body must have begun to come
PATIENT = 100  # bodies that are waited for retry_until_writable; of more, each must hurry
SLOWEST = 1024.0  # bytes per second that a body must come with after that
SYNC_BYTES = 64 * 1024**2  # the disk works while bytes still arrive, and no later sync takes seconds

T = TypeVar("T")


class BodyDeadline:
    """How slowly a body may come: some seconds to begin with, then a rate that every network has.

    Where many are waited for, new ones get less time to begin with, so that threads stay free for short requests.

    Args:
        connection: the client's socket; None: there is nothing to cut off.
    """

    _waiting: ClassVar[set["BodyDeadline"]] = set()

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._began = time.monotonic()
        self._grace = PATIENT_S if len(self._waiting) < PATIENT else HURRIED_S
        self._waiting.add(self)
        self.came(0)

    def came(self, size: int) -> None:
        """So many bytes have come up to now."""
        if self._connection is not None and self in self._waiting:
            remaining = self._began + self._grace + size / SLOWEST - time.monotonic()
            DEADLINES.set(self._connection, remaining)

    def late(self) -> bool:
        return self._connection is not None and DEADLINES.late(self._connection)

    def end(self) -> None:
        """The body is here, or nobody waits for it any more."""
        if self in self._waiting:
            self._waiting.discard(self)
            if self._connection is not None:
                DEADLINES.clear(self._connection)


class Body:
    """A request body that lets other clients be served while it is read, and is complete or an error.

    Under eventlet a ready socket never yields: reading 300 MB from loopback froze the loop for a second (measured).
    gunicorn's own reader cuts each piece out of what it took from the socket and puts the rest back: copies that an
    upload of hundreds of megabytes feels. So a body of a known length is taken from the socket itself.

    Args:
        stream: the server's `wsgi.input`.
        length: as announced; None: the server knows where it ends.
        pace: what is told of the bytes that came.

    Raises:
        CutShort: (each way of reading) the stream ended before the body did.
        TooSlow: it was cut off.
    """

    def __init__(self, stream: Any, length: int | None = None, pace: BodyDeadline | None = None) -> None:
        self._stream = stream
        self._reader = length_reader(stream)
        self._length = self._reader.length if length is None and self._reader else length
        self._size = 0
        self._pace = pace or BodyDeadline(None)
        self._until_yield = YIELD_BYTES

    def read(self, *size: int) -> bytes:
        """Part of the body, b"" at its end; at most the first argument, which may be more than comes at once."""
        if self._over() or (size and size[0] == 0):
            return b""
        if not self._direct() or not size or size[0] < 0:
            data = self._received(lambda: self._stream.read(*size))
            self._count(len(data))
            if not size or size[0] < 0:
                self._count(0)  # there is no more
            return data
        most = min(size[0], self._reader.length)
        if waiting := self._waiting():
            data = self._received(lambda: self._reader.read(min(most, waiting)))
        else:
            data = self._received(lambda: self._reader.unreader.sock.recv(most))
            self._reader.length -= len(data)
        self._count(len(data))
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer's beginning; how many bytes, 0 at the end of the body."""
        if self._over() or not len(buffer):
            return 0
        if self._direct() and not self._waiting():
            most = min(len(buffer), self._reader.length)
            size = self._received(lambda: self._reader.unreader.sock.recv_into(buffer, most))
            self._reader.length -= size
        elif self._reader is None and hasattr(self._stream, "readinto"):
            size = self._received(lambda: self._stream.readinto(buffer))
        else:
            data = self.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        self._count(size)
        return size

    def readline(self, *size: int) -> bytes:
        if self._over() or (size and size[0] == 0):
            return b""
        data = self._received(lambda: self._stream.readline(*size))
        self._count(len(data))
        return data

    def __iter__(self) -> Any:
        return iter(self.readline, b"")

    def close(self) -> None:
        """The request has been answered; what was not read is the server's to throw away."""
        self._pace.end()

    def _over(self) -> bool:
        return self._length is not None and self._size >= self._length

    def _direct(self) -> bool:
        """Whether gunicorn's reader of lines holds nothing."""
        return self._reader is not None and not self._stream.buf.tell()

    def _waiting(self) -> int:
        """Bytes that came together with the head of the request."""
        return len(self._reader.unreader.buf.getbuffer())

    def _received(self, read: Callable[[], T]) -> T:
        """What `read` gives; whatever a server's parser makes of a broken connection is one error."""
        try:
            return read()
        except Exception as error:
            raise self._broken() from error

    def _broken(self) -> AppError:
        slow = self._pace.late()
        self._pace.end()
        return TooSlow() if slow else CutShort()

    def _count(self, size: int) -> None:
        """So many bytes more; none: the stream has ended."""
        self._size += size
        if size == 0 and (self._pace.late() or (self._length is not None and not self._over())):
            raise self._broken()
        if size == 0 or self._over():
            self._pace.end()
        else:
            self._pace.came(self._size)
        self._until_yield -= size
        if self._until_yield <= 0:
            self._until_yield = YIELD_BYTES
            socketio.sleep(0)


def length_reader(stream: Any) -> Any:
    """What gunicorn's Body reads from where the body's length is known; None for another server's input."""
    reader = getattr(stream, "reader", None)
    unreader: Any = getattr(reader, "unreader", None)
    supported = type(reader).__name__ == "LengthReader" and hasattr(unreader, "sock") and hasattr(unreader, "buf")
    return reader if supported and hasattr(stream, "buf") else None


class UploadRequest(Request):
    """Files go straight to the data volume, nameless: nothing is copied later, nothing is left after a crash."""

    form_data_parser_class = FormParser
    upload_folder: str | None = None

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return nameless(self.upload_folder or tempfile.gettempdir())


class SyncedFile(io.FileIO):
    """A file that is synced to the disk while it is written."""

    _unsynced = 0

    def write(self, data: Any, /) -> int:
        size = super().write(data)
        self._unsynced += size
        if self._unsynced >= SYNC_BYTES:
            self._unsynced = 0
            run_blocking(os.fdatasync, self.fileno())
        return size


def nameless(folder: str) -> IO[bytes]:
    """A temporary file that can be given a name later: without O_EXCL, which tempfile sets (open(2), O_TMPFILE)."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
    except (AttributeError, OSError):  # another system, or a file system that has no such files
        return tempfile.TemporaryFile(dir=folder)
    return io.BufferedRandom(SyncedFile(handle, "r+b"))
