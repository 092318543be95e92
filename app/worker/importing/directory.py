"""Reads a ZIP's central directory.

Not by `zipfile`, which stores an entire hostile list before it can be counted, refuses the entire ZIP for a name that
is not UTF-8, and before Python 3.11.8 does not detect overlapping members (CVE-2024-0450). Contents are decompressed by
`zipfile`, see content.py.
"""

import struct
from dataclasses import dataclass
from typing import IO

from app.core.names import printable_name
from app.worker.failures import InvalidInput
from app.worker.importing.not_zip import headless, no_zip, split_part

ENCRYPTED = 0x1 | 0x40 | 0x2000
UTF8 = 0x800

END = struct.Struct("<4s4H2LH")
LOCATOR_64 = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
LOCAL_SIZE = 30


@dataclass(slots=True)
class ZipEntry:
    """One member of the central directory. `end`: the offset of the next one; `raw` and `extra`: the source of its name
    (codepages.py); `file`: the archive that contains it, None: the upload itself.
    """

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


def read_directory(file: IO[bytes], most: int) -> list[ZipEntry]:
    """The archive's members in the order of their data; their names are decoded from `raw` later, see codepages.py.

    Raises:
        NotZip: not a ZIP, or a truncated one.
        InvalidInput: it is empty, has too many members, or members that share data.
    """
    count, directory, shift = find_directory(file)
    if directory[0] >= directory[1]:
        raise InvalidInput("zip_empty")
    entries: list[ZipEntry] = []
    file.seek(directory[0])
    while file.tell() < directory[1]:
        if len(entries) >= most or count > most:
            raise InvalidInput("zip_entries", limit=str(most))
        entries.append(read_entry(file, shift))
    entries.sort(key=lambda entry: entry.offset)
    refuse_overlaps(entries, directory[0])
    return entries


def find_directory(file: IO[bytes]) -> tuple[int, tuple[int, int], int]:
    """Number of members, start and end of the directory, and the bytes before the archive."""
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
    shift = end - length - start  # bytes before the archive, as in self-extracting ones
    if shift < 0:
        raise headless()
    return count, (end - length, end), shift


def find_end(tail: bytes) -> int:
    """The offset of the end record: the last one whose comment reaches the end, otherwise the last one."""
    at = last = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - END.size + 4))
    while at >= 0:
        if at + END.size + END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\5\6", 0, at)
    if last < 0:
        raise no_zip()
    return last


def read_entry(file: IO[bytes], shift: int) -> ZipEntry:
    """The directory's next member."""
    header = file.read(CENTRAL.size)
    if len(header) < CENTRAL.size or not header.startswith(b"PK\1\2"):
        raise no_zip()
    (
        _sig,
        _creator_version,
        _system,
        _need,
        _reserved,
        flags,
        method,
        _time,
        _date,
        crc,
        packed,
        size,
        name_length,
        extra_length,
        comment_length,
        _disk,
        _internal,
        external,
        offset,
    ) = CENTRAL.unpack(header)
    raw, extra = file.read(name_length), file.read(extra_length)
    file.seek(comment_length, 1)
    size, packed, offset = widen(extra, size, packed, offset)
    return ZipEntry("", flags, method, crc, packed, size, offset + shift, external >> 16, raw=raw, extra=extra)


def widen(extra: bytes, *values: int) -> tuple[int, ...]:
    """Sizes and offset, from the ZIP64 field if the short ones refer to it."""
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


def refuse_overlaps(entries: list[ZipEntry], directory: int) -> None:
    """Set each member's end; refuse members that share bytes, by which 20 KB could expand to terabytes."""
    for entry, following in zip(entries, [*(item.offset for item in entries[1:]), directory], strict=True):
        if entry.offset + LOCAL_SIZE + entry.packed > following:
            raise InvalidInput("zip_overlapping", name=printable_name(entry.raw.decode("utf-8", "replace")))
        entry.end = following
