"""Reads and verifies the contents of a ZIP member, using `zipfile`."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from app.core.names import printable_name
from app.worker.failures import InvalidInput
from app.worker.importing.directory import LOCAL_SIZE, ZipEntry
from app.worker.importing.not_zip import no_zip

READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
CALLED = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    10: "IBM TERSE",
    16: "IBM CMPSC",
    18: "IBM TERSE",
    19: "IBM LZ77",
    20: "Zstandard",
    93: "Zstandard",
    94: "MP3",
    95: "xz",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES",
}
CHUNK = 256 * 1024
# compressed bytes at once for bzip2 and LZMA, which `zipfile` expands without a limit: even these become megabytes
SMALL_CHUNK = 4096
MAX_DICTIONARY = 64 * 1024**2  # bytes that LZMA may request: 7-Zip's strongest setting
LZMA_HEADER = 9  # bytes: version of the SDK, length of the properties, properties


def content(file: IO[bytes], entry: ZipEntry) -> Iterator[bytes]:
    """A member's contents in chunks, never more than it declares.

    Raises:
        NotZip: the archive is truncated.
        InvalidInput: its size or checksum differs from the archive's.
    """
    file = entry.file or file
    file.seek(data_start(file, entry))
    chunk = CHUNK if entry.method in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} else SMALL_CHUNK
    size = 0
    try:
        with zipfile.ZipExtFile(file, "r", described(entry)) as member:  # type: ignore[arg-type]
            while data := member.read(chunk):
                size += len(data)
                yield data
    except EOFError:
        raise no_zip() from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:  # raised by the disk, not by bzip2
            raise
        raise damaged(entry) from error
    if size != entry.size:
        raise damaged(entry)


def described(entry: ZipEntry) -> zipfile.ZipInfo:
    """The member for `zipfile`."""
    info = zipfile.ZipInfo("member")
    info.compress_type, info.compress_size = entry.method, entry.packed
    info.file_size, info.CRC = entry.size, entry.crc
    return info


def data_start(file: IO[bytes], entry: ZipEntry) -> int:
    """The offset of a member's data, by its local header, which has the actual length of its name."""
    file.seek(entry.offset)
    header = file.read(LOCAL_SIZE)
    if len(header) < LOCAL_SIZE or not header.startswith(b"PK\3\4"):
        raise no_zip()
    start = entry.offset + LOCAL_SIZE + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:], "little")
    if start + entry.packed > entry.end or int.from_bytes(header[8:10], "little") != entry.method:
        raise damaged(entry)
    if entry.method == zipfile.ZIP_LZMA:
        file.seek(start)
        refuse_greed(entry, file.read(LZMA_HEADER))
    return start


def refuse_greed(entry: ZipEntry, header: bytes) -> None:
    """Check the memory that LZMA data requests (APPNOTE 5.8.8)."""
    if len(header) == LZMA_HEADER and int.from_bytes(header[5:9], "little") > MAX_DICTIONARY:
        raise damaged(entry)


def damaged(entry: ZipEntry) -> InvalidInput:
    return InvalidInput("member_damaged", name=printable_name(entry.name))
