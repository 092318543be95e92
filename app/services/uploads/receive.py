"""Receives a chunk: written to the disk as it arrives, preserved when the connection breaks."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from flask_babel import gettext as _

from app.core.file_lock import FileLock
from app.errors import BadUpload, ChecksumMismatch, Locked, TooLarge
from app.extensions import socketio
from app.services.uploads.protocol import Checksum
from app.threads import run_blocking

logger = logging.getLogger("yolo.uploads")

# A block is what a cut can lose: it grows on a fast connection, for speed, and shrinks on a slow one.
LEAST, MOST = 16 * 1024, 1024**2
QUICK_S, SLOW_S = 0.05, 0.5

# Synced this often beside the end of each chunk: dirty pages stay few, so that no later sync takes seconds, and the
# disk works while bytes still arrive. Smaller steps cost throughput: each waits for the disk.
SYNC_BYTES = 64 * 1024**2

WAIT_S = 0.1
SILENT_S = 10.0  # a writer that has heard nothing for so long has lost its client: another may take over


class Readable(Protocol):
    """`readinto` is used where there is one."""

    def read(self, size: int, /) -> bytes: ...


class ConnectionCut(BadUpload):
    """The connection ended before the chunk did; nobody will read this answer."""


class UploadLock:
    """Between processes.

    Args:
        path: of the upload's lock; None: there is one process.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = FileLock(path) if path is not None else None

    def acquire(self) -> bool:
        """False: another process has it."""
        try:
            return self._file is None or self._file.acquire()
        except FileNotFoundError:  # the upload is gone
            return True

    def release(self) -> None:
        if self._file is not None:
            self._file.release()


@dataclass
class Writer:
    """The one request that may write to an upload."""

    last_read_at: float = field(default_factory=time.monotonic)
    replaced: bool = False
    lock: Any = field(default_factory=threading.Lock)  # held for each write: a successor waits for it
    between: UploadLock = field(default_factory=lambda: UploadLock(None))  # among processes


class Writers:
    """Who writes to which upload.

    Args:
        files: for locks of the uploads, by id, where other processes may write, too; None: this one is alone.
    """

    def __init__(self, files: Callable[[str], Path] | None = None) -> None:
        self.files = files
        self._writers: dict[str, Writer] = {}
        self._lock = threading.Lock()

    def busy(self, upload_id: str) -> bool:
        """Whether a writer is active and has received bytes lately."""
        writer = self._writers.get(upload_id)
        if writer is None and self.files is not None:
            if (lock := self.lock(upload_id)) is None:
                return True
            lock.release()
        return writer is not None and time.monotonic() - writer.last_read_at < SILENT_S

    @contextmanager
    def only(self, upload_id: str) -> Iterator[Writer]:
        """Be the one that writes.

        Raises:
            Locked: another request does, and its client is there.
        """
        with self._lock:
            if self.busy(upload_id):
                raise being_sent()
            mine = Writer()
            before = self._writers.get(upload_id)
            self._writers[upload_id] = mine
        if before is not None:
            self.end(before)
        try:
            if (lock := self.lock(upload_id)) is None:
                raise being_sent()
            mine.between = lock
            yield mine
        finally:
            mine.between.release()
            with self._lock:
                if self._writers.get(upload_id) is mine:
                    del self._writers[upload_id]

    @contextmanager
    def alone(self, upload_id: str) -> Iterator[None]:
        """Lock the upload against other processes; waits for the lock."""
        while (lock := self.lock(upload_id)) is None:
            socketio.sleep(WAIT_S)
        try:
            yield
        finally:
            lock.release()

    def lock(self, upload_id: str) -> UploadLock | None:
        """Lock against other processes; None: another one has the lock."""
        lock = UploadLock(self.files(upload_id) if self.files else None)
        return lock if lock.acquire() else None

    def replace(self, upload_id: str) -> None:
        """Replace the writer; the earlier one writes no more when this returns."""
        with self._lock:
            before = self._writers.pop(upload_id, None)
        if before is not None:
            self.end(before)

    def end(self, writer: Writer) -> None:
        with writer.lock:
            writer.replaced = True
            writer.between.release()


def being_sent() -> Locked:
    return Locked(_("Another request is sending data for this upload. Try again in a few seconds."))


def receive_chunk(
    path: Path, offset: int, most: int, stream: Readable, length: int | None, checksum: Checksum | None, writer: Writer
) -> int:
    """Append a chunk to the file at `offset`, its present size; the new size, synced.

    Args:
        most: the largest size that the file may get.
        length: of the chunk, as announced; None: it ends where the stream ends.
        checksum: of the chunk; where it does not fit, the file is as before.

    Raises:
        ConnectionCut: the connection broke; what came is preserved, unless its checksum cannot be verified any more.
        ChecksumMismatch: nothing is preserved.
        TooLarge: more came than fits; nothing beyond is preserved.
        OSError: of the disk.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    hashed: Any = checksum.new() if checksum else None
    at, fault = offset, None
    try:
        try:
            for block in blocks(stream, length, writer):
                if at + len(block) > most:
                    raise too_large()
                write(handle, block, hashed, writer)
                if (at + len(block)) // SYNC_BYTES > at // SYNC_BYTES:
                    run_blocking(os.fdatasync, handle)
                at += len(block)
            if checksum and hashed.digest() != checksum.digest:
                raise ChecksumMismatch(_("The chunk is damaged: its checksum doesn't match. Send it again."))
        except BaseException as error:
            fault = error
            if checksum and not writer.replaced:
                run_blocking(os.ftruncate, handle, offset)
            raise
        finally:
            if not writer.replaced:
                sync_written(handle, fault)
    finally:
        run_blocking(os.close, handle)
    return at


def blocks(stream: Readable, length: int | None, writer: Writer) -> Iterator[bytes | memoryview]:
    """The chunk in pieces; each may lie in the memory of the one before.

    Raises:
        Cut: it ends before its announced length, or the connection breaks.
    """
    size, remaining, read_block = LEAST, length, block_reader(stream)
    while remaining is None or remaining > 0:
        began = time.monotonic()
        try:
            block = read_block(size if remaining is None else min(size, remaining))
        except Exception as error:  # whatever a server's parser makes of a broken connection
            raise connection_cut() from error
        writer.last_read_at = time.monotonic()
        if not block:
            if remaining:
                raise connection_cut()
            return
        if remaining is not None:
            remaining -= len(block)
        yield block
        took = time.monotonic() - began
        size = min(MOST, 2 * size) if took < QUICK_S else max(LEAST, size // 2) if took > SLOW_S else size


def block_reader(stream: Readable) -> Callable[[int], bytes | memoryview]:
    """A function that reads at most so many bytes, into one reused buffer where the stream supports that."""
    readinto = getattr(stream, "readinto", None)
    if readinto is None:
        return stream.read
    buffer = memoryview(bytearray(MOST))
    return lambda size: buffer[: readinto(buffer[:size])]


def write(handle: int, block: bytes | memoryview, hashed: Any, writer: Writer) -> None:
    """Append one block, unless another request has replaced this one: two writers would mix."""
    with writer.lock:
        if writer.replaced:
            raise connection_cut()
        run_blocking(append, handle, block, hashed)


def append(handle: int, block: bytes | memoryview, hashed: Any) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(handle, view) :]
    if hashed is not None:
        hashed.update(block)


def sync_written(handle: int, fault: BaseException | None) -> None:
    """Sync what was written; an earlier failure takes precedence."""
    try:
        run_blocking(os.fsync, handle)
    except OSError:
        if fault is None:
            raise
        logger.warning("not synced after %r", fault)


def connection_cut() -> ConnectionCut:
    return ConnectionCut(
        _("The connection ended before the chunk was complete. The received data is kept. Continue from Upload-Offset.")
    )


def too_large() -> TooLarge:
    return TooLarge(_("More bytes were received than announced in Upload-Length."))
