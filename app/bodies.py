"""Reads request bodies from the connection to the data volume, yielding to other clients between the steps."""

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
PATIENT_S, HURRIED_S = 30.0, 3.0  # grace until a body must have begun to arrive
PATIENT = 100  # bodies in progress up to which new ones get the longer grace
SLOWEST = 1024.0  # bytes per second that a body must then arrive with
SYNC_BYTES = 64 * 1024**2  # synced while bytes still arrive, so that the final sync does not take seconds

T = TypeVar("T")


class BodyDeadline:
    """A minimum rate for a body: a grace of some seconds, then a rate that every network reaches.

    With many bodies in progress, new ones get a shorter grace, so that threads stay free for short requests.

    Args:
        connection: the client's socket; None: there is no deadline.
    """

    _waiting: ClassVar[set["BodyDeadline"]] = set()

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._began = time.monotonic()
        self._grace = PATIENT_S if len(self._waiting) < PATIENT else HURRIED_S
        self._waiting.add(self)
        self.came(0)

    def came(self, size: int) -> None:
        """Extend the deadline after this many bytes in total."""
        if self._connection is not None and self in self._waiting:
            remaining = self._began + self._grace + size / SLOWEST - time.monotonic()
            DEADLINES.set(self._connection, remaining)

    def late(self) -> bool:
        return self._connection is not None and DEADLINES.late(self._connection)

    def end(self) -> None:
        """End the deadline: the body is complete, or was abandoned."""
        if self in self._waiting:
            self._waiting.discard(self)
            if self._connection is not None:
                DEADLINES.clear(self._connection)


class Body:
    """A request body that yields to other clients while it is read, and is either complete or an error.

    Under eventlet, a ready socket never yields: reading 300 MB from loopback blocked the loop for a second (measured).
    gunicorn's own reader copies each piece out of its buffer and puts the rest back, which costs noticeable time for
    hundreds of megabytes. So a body of known length is read from the socket itself.

    Args:
        stream: the server's `wsgi.input`.
        length: as announced; None: the server detects its end.
        pace: the deadline, extended as bytes arrive.

    Raises:
        CutShort: (each way of reading) the stream ended before the body did.
        TooSlow: its deadline was exceeded.
    """

    def __init__(self, stream: Any, length: int | None = None, pace: BodyDeadline | None = None) -> None:
        self._stream = stream
        self._reader = length_reader(stream)
        self._length = self._reader.length if length is None and self._reader else length
        self._size = 0
        self._pace = pace or BodyDeadline(None)
        self._until_yield = YIELD_BYTES

    def read(self, *size: int) -> bytes:
        """A part of the body, b"" at its end; at most the first argument, and less if less has arrived."""
        if self._over() or (size and size[0] == 0):
            return b""
        if not self._direct() or not size or size[0] < 0:
            data = self._received(lambda: self._stream.read(*size))
            self._count(len(data))
            if not size or size[0] < 0:
                self._count(0)  # the stream has ended
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
        """Fill the start of the buffer; the number of bytes, 0 at the end of the body."""
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
        """The request was answered; the server discards unread bytes."""
        self._pace.end()

    def _over(self) -> bool:
        return self._length is not None and self._size >= self._length

    def _direct(self) -> bool:
        """Whether the buffer of gunicorn's line reader is empty."""
        return self._reader is not None and not self._stream.buf.tell()

    def _waiting(self) -> int:
        """Buffered bytes that arrived together with the head of the request."""
        return len(self._reader.unreader.buf.getbuffer())

    def _received(self, read: Callable[[], T]) -> T:
        """The result of `read`; every error of a server's parser on a broken connection becomes CutShort."""
        try:
            return read()
        except Exception as error:
            raise self._broken() from error

    def _broken(self) -> AppError:
        slow = self._pace.late()
        self._pace.end()
        return TooSlow() if slow else CutShort()

    def _count(self, size: int) -> None:
        """Count received bytes; 0: the stream has ended."""
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
    """The reader of gunicorn's Body if the body's length is known; None for another server's input."""
    reader = getattr(stream, "reader", None)
    unreader: Any = getattr(reader, "unreader", None)
    supported = type(reader).__name__ == "LengthReader" and hasattr(unreader, "sock") and hasattr(unreader, "buf")
    return reader if supported and hasattr(stream, "buf") else None


class UploadRequest(Request):
    """Writes uploaded files to the data volume as unnamed files: nothing is copied later, and nothing remains after a
    crash.
    """

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
    """An unnamed temporary file that can be linked to a name later: tempfile's own has O_EXCL, which prevents that
    (open(2), O_TMPFILE).
    """
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
    except (AttributeError, OSError):  # the system or the file system does not support it
        return tempfile.TemporaryFile(dir=folder)
    return io.BufferedRandom(SyncedFile(handle, "r+b"))
