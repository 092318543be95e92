"""A ZIP's own list of its members, read in small steps.

It is read here and not by `zipfile`: that reads it in one go (seconds for 200,000 entries, during which no other client
is served), and before Python 3.11.8 it does not notice overlapping entries (CVE-2024-0450).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from flask_babel import gettext as _

from app.errors import BadUpload, Unprocessable
from app.services.storage.kinds import headless, no_zip, split_part
from app.services.storage.paths import shown

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
ENCRYPTED = 0x1 | 0x40 | 0x2000
UTF8 = 0x800

END = struct.Struct("<4s4H2LH")
LOCATOR_64 = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
LOCAL_SIZE = 30


@dataclass(slots=True)
class Entry:
    """One member, as the central directory has it. `end` is where the next one begins; `raw` and `extra` are what its
    name is made of (codepages.py); `file` is the archive that it lies in, None: the upload itself."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    end: int = 0
    raw: bytes = b""
    extra: bytes = b""
    file: IO[bytes] | None = None


def read_directory(file: IO[bytes], most: int, pause: Callable[[], None]) -> list[Entry]:
    """The archive's members in the order of their data; their names are still to be read from `raw`, see codepages.py.
    `pause` is called once a member.

    Raises:
        NotZip: no ZIP, or not all of it. BadUpload: it is empty.
        Unprocessable: more members than allowed, or members that share data.
    """
    count, directory, shift = find_directory(file)
    if directory[0] >= directory[1]:
        raise BadUpload(_("The ZIP is empty."))
    entries: list[Entry] = []
    file.seek(directory[0])
    while file.tell() < directory[1]:
        if len(entries) >= most or count > most:
            raise Unprocessable(_("The ZIP has more files than the limit of %(limit)s (MAX_ZIP_ENTRIES).", limit=most))
        entries.append(read_entry(file, shift))
        pause()
    entries.sort(key=lambda entry: entry.offset)
    refuse_overlaps(entries, directory[0])
    return entries


def find_directory(file: IO[bytes]) -> tuple[int, tuple[int, int], int]:
    """Number of members, where the directory starts and ends, and how much was put before the archive."""
    size = file.seek(0, 2)
    tail_at = max(0, size - END.size - 65_535)
    file.seek(tail_at)
    tail = file.read()
    at = find_end(tail)
    _sig, disk, _cd_disk, here, count, length, start, _comment = END.unpack_from(tail, at)
    end = tail_at + at
    if 0 < disk < 0xFFFF or here < count < 0xFFFF:
        raise split_part()
    if at >= LOCATOR_64.size and tail[at - LOCATOR_64.size :].startswith(b"PK\6\7"):
        file.seek(LOCATOR_64.unpack_from(tail, at - LOCATOR_64.size)[2])
        record = file.read(END_64.size)
        if len(record) < END_64.size or not record.startswith(b"PK\6\6"):
            raise no_zip()
        count, length, start = END_64.unpack(record)[7:]
        end -= LOCATOR_64.size + END_64.size
    shift = end - length - start  # bytes before the archive, as self-extracting ones have
    if shift < 0:
        raise headless()
    return count, (end - length, end), shift


def find_end(tail: bytes) -> int:
    """Where the end record is: the last one whose comment reaches the end, else the last one."""
    at = last = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - END.size + 4))
    while at >= 0:
        if at + END.size + END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\5\6", 0, at)
    if last < 0:
        raise no_zip()
    return last


def read_entry(file: IO[bytes], shift: int) -> Entry:
    """The directory's next member."""
    header = file.read(CENTRAL.size)
    if len(header) < CENTRAL.size or not header.startswith(b"PK\1\2"):
        raise no_zip()
    (_sig, _made, _system, _need, _reserved, flags, method, _time, _date, crc, packed, size, name_length, extra_length,
     comment_length, _disk, _internal, external, offset) = CENTRAL.unpack(header)  # fmt: skip
    raw, extra = file.read(name_length), file.read(extra_length)
    file.seek(comment_length, 1)
    size, packed, offset = widen(extra, size, packed, offset)
    return Entry("", flags, method, crc, packed, size, offset + shift, external >> 16, raw=raw, extra=extra)


def widen(extra: bytes, *values: int) -> tuple[int, ...]:
    """Sizes and offset, from the ZIP64 field where the short ones say so."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        if tag == 1:
            body = extra[4 : 4 + length]
            wide = [item[0] for item in struct.iter_unpack("<Q", body[: len(body) // 8 * 8])]
            needed = sum(value == 0xFFFFFFFF for value in values)
            if len(wide) < needed:
                raise no_zip()
            supply = iter(wide)
            return tuple(next(supply) if value == 0xFFFFFFFF else value for value in values)
        extra = extra[4 + length :]
    return values


def refuse_overlaps(entries: list[Entry], directory: int) -> None:
    """Set each member's end; refuse members that share bytes, which is how 20 KB become terabytes."""
    for entry, following in zip(entries, [*(item.offset for item in entries[1:]), directory], strict=True):
        if entry.offset + LOCAL_SIZE + entry.packed > following:
            raise Unprocessable(_("The ZIP has overlapping files (%(name)s). Create it again with another tool.",
                                  name=shown(entry.raw.decode("utf-8", "replace"))))  # fmt: skip
        entry.end = following
