"""Identifies a file that was uploaded as a ZIP but is not one: a code of services/datasets/archive_texts.py."""

import re
import zlib
from typing import IO

from app.worker.failures import InvalidInput

HEAD = 4096  # bytes
TAR_AT = 257  # offset of "ustar" in a tar

ARCHIVES = (
    (b"Rar!\x1a\x07", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7z (7-Zip)"),
    (b"\xfd7zXZ\0", "xz (tar.xz)"),
    (b"BZh", "bzip2 (tar.bz2)"),
    (b"\x28\xb5\x2f\xfd", "Zstandard (tar.zst)"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\x1f\x9d", "Unix compress (.Z)"),
    (b"MSCF", "Windows cabinet (CAB)"),
    (b"!<arch>", "Unix ar"),
    (b"\x60\xea", "ARJ"),
    (b"xar!", "xar"),
    (b"StuffIt", "StuffIt"),
    (b"SIT!", "StuffIt"),
)
DOCUMENTS = (
    (b"%PDF-", "pdf"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n", "png"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\x89HDF\r\n", "hdf5"),
    (b"PAR1", "parquet"),
    (b"SQLite format 3\0", "sqlite"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"\xd0\xcf\x11\xe0", "office"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"\x80\x02", "pickle"),
    (b"\x93NUMPY", "numpy"),
    (b"d8:announce", "torrent"),
    (b"{\\rtf", "rtf"),
)
MARKUP = re.compile(rb"(?i)\s*(<!--.*?-->\s*)*(<\?xml[^>]*>\s*)?(<!doctype html|<html|<head|<body|<script|<meta)", re.S)


class NotZip(InvalidInput):
    """The file is not a ZIP, or a truncated one; the code names its type if known."""


def split_part() -> NotZip:
    return NotZip("not_zip_part")


def headless() -> NotZip:
    return NotZip("not_zip_headless")


def no_zip() -> NotZip:
    return NotZip("not_zip")


def named(file: IO[bytes], error: NotZip) -> NotZip:
    """The same refusal, with the file's type if its first bytes show it."""
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        return NotZip("not_zip_empty")
    if head.startswith((b"PK\7\x08", b"PK00PK")):
        return split_part()
    if head.startswith(b"PK\3\4") and error.code == "not_zip":
        return NotZip("not_zip_cut")
    return what_it_is(head) or error


def what_it_is(head: bytes) -> NotZip | None:
    """The refusal of a file with this beginning; None if unknown."""
    for mark, kind in ARCHIVES:
        if head.startswith(mark):
            return NotZip("not_zip_archive", kind=kind)
    if head.startswith(b"\x1f\x8b"):
        return NotZip("not_zip_archive", kind="gzip (tar.gz)" if is_tar(inflated(head)) else "gzip")
    if is_tar(head):
        return NotZip("not_zip_archive", kind="tar")
    if head[4:8] == b"ftyp":
        return NotZip("not_zip_document", kind="video")
    if head[:4] == b"RIFF":
        return NotZip("not_zip_document", kind="webp" if head[8:12] == b"WEBP" else "video")
    for mark, kind in DOCUMENTS:
        if head.startswith(mark):
            return NotZip("not_zip_document", kind=kind)
    return text_kind(head)


def text_kind(head: bytes) -> NotZip | None:
    """The refusal of a text file."""
    body = head.removeprefix(b"\xef\xbb\xbf")
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        body = body.decode("utf-16", "ignore").encode()
    if MARKUP.match(body):
        return NotZip("not_zip_page")
    if body.startswith(b"version https://git-lfs"):
        return NotZip("not_zip_pointer")
    try:
        text = body.decode() if len(body) < HEAD else body[:-4].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return None
    if any(not char.isprintable() and not char.isspace() for char in text):
        return None
    kinds = {"{": "json", "[": "json", "<": "xml"}
    return NotZip("not_zip_document", kind=kinds.get(text.lstrip()[:1], "text"))


def is_tar(head: bytes) -> bool:
    return head[TAR_AT : TAR_AT + 5] == b"ustar"


def inflated(head: bytes) -> bytes:
    """The first decompressed bytes of a gzip."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 1024)
    except zlib.error:
        return b""
