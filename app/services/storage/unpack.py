"""Bytes from an archive to the disk, in small steps between which other clients are served."""

import os
import shutil
import stat
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.extensions import socketio
from app.services.storage.directory import LOCAL_SIZE, Entry
from app.services.storage.kinds import no_zip
from app.services.storage.methods import Broken, unpacker
from app.services.storage.paths import shown

CHUNK = 256 * 1024
STEP_S = 0.005
POLL_S = 0.01
RELEASE = 8 * 1024**2


class Pacer:
    """Called between small steps of a long job; lets others run every few milliseconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + STEP_S

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            socketio.sleep(0)
            self._next = time.monotonic() + STEP_S


def content(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """A member's content in chunks, never more than it declares.

    Raises:
        BadUpload: the archive ends before it.
        Unprocessable: its size or checksum is not what the archive says.
    """
    file = entry.file or file
    start = data_start(file, entry)
    size, crc = 0, 0
    for chunk in inflated(file, start, entry):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if size > entry.size:
            raise damaged(entry)
        yield chunk
    if size != entry.size or crc != entry.crc:
        raise damaged(entry)


def data_start(file: IO[bytes], entry: Entry) -> int:
    """Where a member's data begins: its own header has the last word on the length of its names."""
    file.seek(entry.offset)
    header = file.read(LOCAL_SIZE)
    if len(header) < LOCAL_SIZE or not header.startswith(b"PK\3\4"):
        raise no_zip()
    start = entry.offset + LOCAL_SIZE + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:], "little")
    if start + entry.packed > entry.end or int.from_bytes(header[8:10], "little") != entry.method:
        raise damaged(entry)
    return start


def inflated(file: IO[bytes], start: int, entry: Entry) -> Iterator[bytes]:
    """The unpacked data; stops soon after the declared size."""
    packed = unpacker(entry.method)
    left, at, pending, more, seen = entry.packed, start, b"", False, 0
    while (left or pending or more) and seen <= entry.size:
        if not pending and not more:
            file.seek(at)
            pending = file.read(min(CHUNK, left))
            if not pending:
                raise no_zip()
            left, at = left - len(pending), at + len(pending)
        try:
            chunk, pending, more = packed.step(pending, CHUNK)
        except Broken as error:
            raise damaged(entry) from error
        seen += len(chunk)
        yield chunk
    if seen <= entry.size and not packed.whole:
        raise damaged(entry)


def damaged(entry: Entry) -> Unprocessable:
    return Unprocessable(_("%(name)s is damaged: its size or checksum doesn't match the ZIP. Create the ZIP again.",
                           name=shown(entry.name)))  # fmt: skip


def extract(file: IO[bytes], entry: Entry, target: Path, pacer: Pacer) -> None:
    """Write one member to a new file, whose folder exists."""
    with open(target, "xb") as output:
        for chunk in content(file, entry):
            output.write(chunk)
            pacer()


def sync_tree(folder: Path) -> None:
    """Put everything below a folder on the disk, in a process of its own: fsync here would stop every client."""
    if run_quietly(["sync", "-f", str(folder)]) == 0:
        return
    pacer = Pacer()
    for path in [*folder.rglob("*"), folder]:
        sync_file(path)
        pacer()


def sync_folder(folder: Path) -> None:
    """Put a folder's own entries on the disk: what was renamed into it stays there."""
    if run_quietly(["sync", str(folder)]) != 0:
        sync_file(folder)


def sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_text(path: Path, text: str) -> None:
    """Write a small file, on the disk: the one before or this one, never half of it.

    Raises:
        OSError: the disk does not take it.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        sync_file(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def run_quietly(command: list[str]) -> int:
    """Run a command and let others be served until it ends; its exit status, or 127 where there is none such."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return 127
    while (status := process.poll()) is None:
        socketio.sleep(POLL_S)
    return status


def release(file: IO[bytes]) -> None:
    """Give an upload's nameless file back to the disk in steps: closing 200 MB at once stopped the loop for 120 ms."""
    if not file.writable():
        return
    for size in range(file.seek(0, 2), 0, -RELEASE):
        file.truncate(max(0, size - RELEASE))
        socketio.sleep(0)


def remove_tree(folder: Path) -> None:
    """Delete a folder and everything in it, letting others be served."""
    pacer = Pacer()
    for parent, _folders, names in os.walk(folder, topdown=False):
        for name in names:
            remove_file(os.path.join(parent, name))
            pacer()
    shutil.rmtree(folder, ignore_errors=True)


def remove_file(path: str) -> None:
    """Delete a file; a large one that has no other name in steps, see `release`."""
    known = os.lstat(path)
    if stat.S_ISREG(known.st_mode) and known.st_nlink == 1 and known.st_size > RELEASE:
        with open(path, "rb+") as file:
            release(file)
    os.unlink(path)
