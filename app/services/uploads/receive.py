"""Receives a chunk: written to the disk as it arrives, and preserved if the connection breaks."""

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

# A broken connection loses at most one block: blocks grow on a fast connection, for speed, and shrink on a slow one.
LEAST, MOST = 16 * 1024, 1024**2
QUICK_S, SLOW_S = 0.05, 0.5

# Synced at this interval, besides at the end of each chunk: with few dirty pages, no later sync takes seconds, and the
# disk works while bytes arrive. Smaller steps reduce throughput, since each waits for the disk.
SYNC_BYTES = 64 * 1024**2

WAIT_S = 0.1
SILENT_S = 10.0  # a writer without bytes for this long has lost its client, and may be replaced


class Readable(Protocol):
    """A stream; `readinto` is used if it has one."""

    def read(self, size: int, /) -> bytes: ...


class ConnectionCut(BadUpload):
    """The connection ended before the chunk did, so the client does not get this response."""


class UploadLock:
    """A lock between processes.

    Args:
        path: of the upload's lock file; None: there is a single process.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = FileLock(path) if path is not None else None

    def acquire(self) -> bool:
        """Acquire the lock; False: another process holds it."""
        try:
            return self._file is None or self._file.acquire()
        except FileNotFoundError:  # the upload was removed
            return True

    def release(self) -> None:
        if self._file is not None:
            self._file.release()


@dataclass
class Writer:
    """The only request that may write to an upload."""

    last_read_at: float = field(default_factory=time.monotonic)
    replaced: bool = False
    lock: Any = field(default_factory=threading.Lock)  # held for each write, so that a successor waits for it
    between: UploadLock = field(default_factory=lambda: UploadLock(None))  # between processes


class Writers:
    """The writers of uploads.

    Args:
        files: paths of lock files, by upload id, if other processes may write too; None: a single process.
    """

    def __init__(self, files: Callable[[str], Path] | None = None) -> None:
        self.files = files
        self._writers: dict[str, Writer] = {}
        self._lock = threading.Lock()

    def busy(self, upload_id: str) -> bool:
        """Whether a writer is active and has received bytes recently."""
        writer = self._writers.get(upload_id)
        if writer is None and self.files is not None:
            if (lock := self.lock(upload_id)) is None:
                return True
            lock.release()
        return writer is not None and time.monotonic() - writer.last_read_at < SILENT_S

    @contextmanager
    def only(self, upload_id: str) -> Iterator[Writer]:
        """Become the only writer.

        Raises:
            Locked: another request is writing, and its client is still sending.
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
        """Lock against other processes; None: another one holds the lock."""
        lock = UploadLock(self.files(upload_id) if self.files else None)
        return lock if lock.acquire() else None

    def replace(self, upload_id: str) -> None:
        """Replace the writer; returns once the earlier one has stopped writing."""
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
        most: the maximum size of the file.
        length: of the chunk, as announced; None: until the end of the stream.
        checksum: of the chunk; if it does not match, the file is restored.

    Raises:
        ConnectionCut: the connection broke; received bytes are preserved, unless they have a checksum, which cannot be
            verified any more.
        ChecksumMismatch: the chunk was discarded.
        TooLarge: more arrived than fits; the excess was discarded.
        OSError: the disk failed or is full.
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
    """The chunk in blocks; each may reuse the memory of the previous one.

    Raises:
        ConnectionCut: it ended before its announced length, or the connection broke.
    """
    size, remaining, read_block = LEAST, length, block_reader(stream)
    while remaining is None or remaining > 0:
        began = time.monotonic()
        try:
            block = read_block(size if remaining is None else min(size, remaining))
        except Exception as error:  # any error of a server's parser on a broken connection
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
    """A function that reads at most that many bytes, into a reused buffer if the stream supports that."""
    readinto = getattr(stream, "readinto", None)
    if readinto is None:
        return stream.read
    buffer = memoryview(bytearray(MOST))
    return lambda size: buffer[: readinto(buffer[:size])]


def write(handle: int, block: bytes | memoryview, hashed: Any, writer: Writer) -> None:
    """Append one block, unless another request has replaced this writer: blocks of two would mix."""
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
    """Sync what was written; an earlier error takes precedence."""
    try:
        run_blocking(os.fsync, handle)
    except OSError:
        if fault is None:
            raise
        logger.warning("a chunk could not be synced after %r", fault)


def connection_cut() -> ConnectionCut:
    return ConnectionCut(
        _("The connection ended before the chunk was complete. The received data is kept. Continue from Upload-Offset.")
    )


def too_large() -> TooLarge:
    return TooLarge(_("More bytes were received than announced in Upload-Length."))
