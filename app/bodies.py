"""Request bodies: read straight from the connection, in steps between which others are served, onto the data volume."""

import io
import os
import tempfile
from typing import IO, Any

from flask import Request

from app.extensions import socketio
from app.forms import FormParser
from app.threads import off_loop

YIELD_BYTES = 1024 * 1024
SYNC_BYTES = 64 * 1024**2  # the disk works while bytes still arrive, and no later sync takes seconds


class Body:
    """A request body that lets other clients be served while it is read.

    Under eventlet a ready socket never yields: reading 300 MB from loopback froze the loop for a second (measured).
    gunicorn's own reader cuts each piece out of what it took from the socket and puts the rest back: copies that an
    upload of hundreds of megabytes feels. So a body of a known length is taken from the socket itself.

    Args:
        stream: the server's `wsgi.input`.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._reader = length_reader(stream)
        self._until_yield = YIELD_BYTES

    def read(self, *size: int) -> bytes:
        """Part of the body, b"" at its end; at most the first argument, which may be more than comes at once."""
        if not self._direct() or not size or size[0] < 0:
            return self._count(self._stream.read(*size))
        most = min(size[0], self._reader.length)
        if most == 0:
            return b""
        if waiting := self._waiting():
            return self._count(self._reader.read(min(most, waiting)))
        data = self._reader.unreader.sock.recv(most)
        self._reader.length -= len(data)
        return self._count(data)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer's beginning; how many bytes, 0 at the end of the body or of the connection."""
        if not self._direct() or self._waiting():
            data = self.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        most = min(len(buffer), self._reader.length)
        if most == 0:
            return 0
        size = self._reader.unreader.sock.recv_into(buffer, most)
        self._reader.length -= size
        self._yield_after(size)
        return size

    def readline(self, *size: int) -> bytes:
        return self._count(self._stream.readline(*size))

    def __iter__(self) -> Any:
        return iter(self.readline, b"")

    def _direct(self) -> bool:
        """Whether gunicorn's reader of lines holds nothing."""
        return self._reader is not None and not self._stream.buf.tell()

    def _waiting(self) -> int:
        """Bytes that came together with the head of the request."""
        return len(self._reader.unreader.buf.getbuffer())

    def _count(self, data: bytes) -> bytes:
        self._yield_after(len(data))
        return data

    def _yield_after(self, size: int) -> None:
        self._until_yield -= size
        if self._until_yield <= 0:
            self._until_yield = YIELD_BYTES
            socketio.sleep(0)


def length_reader(stream: Any) -> Any:
    """What gunicorn's Body reads from where the body's length is known; None for another server's input."""
    reader = getattr(stream, "reader", None)
    unreader: Any = getattr(reader, "unreader", None)
    known = type(reader).__name__ == "LengthReader" and hasattr(unreader, "sock") and hasattr(unreader, "buf")
    return reader if known and hasattr(stream, "buf") else None


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
    """A file that is put on the disk while it is written."""

    _unsynced = 0

    def write(self, data: Any, /) -> int:
        size = super().write(data)
        self._unsynced += size
        if self._unsynced >= SYNC_BYTES:
            self._unsynced = 0
            off_loop(os.fdatasync, self.fileno())
        return size


def nameless(folder: str) -> IO[bytes]:
    """A temporary file that can be given a name later: without O_EXCL, which tempfile sets (open(2), O_TMPFILE)."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
    except (AttributeError, OSError):  # another system, or a file system that has no such files
        return tempfile.TemporaryFile(dir=folder)
    return io.BufferedRandom(SyncedFile(handle, "r+b"))
