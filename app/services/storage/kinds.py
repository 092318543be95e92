"""What a file is that was sent as a ZIP and is none: its name, and what its owner can do. Pure but for reading it."""

import re
import zlib
from pathlib import PurePath
from typing import IO

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.errors import BadUpload

HEAD = 4096  # bytes
TAR_AT = 257  # where a tar says "ustar"

ARCHIVE = _l("This file is a %(kind)s archive, not a ZIP. Extract it and make a ZIP of the folder.")
DOCUMENT = _l("This file is %(kind)s, not a ZIP. Put the images and their labels into one folder and make a ZIP of it.")
PAGE = _l("This file is a web page (HTML), not a ZIP: the link led to a page instead of the file. Open the link in a "
          "browser, download the file itself and upload that.")  # fmt: skip
POINTER = _l("This file is a Git LFS pointer, not a ZIP: the repository holds the file elsewhere. Run “git lfs pull” "
             "and upload the file that it fetches.")  # fmt: skip
PART = _l(
    "This file is not a ZIP on its own: it is one part of a split ZIP. Put all its parts into one folder, join or "
    "extract them with the tool that split them (7-Zip, WinZip, “zip -s 0”), and upload one whole ZIP."
)
CUT = _l(
    "This file is not a ZIP as it is: it was cut short, or it is the first part of a split ZIP. Its list of files, "
    "which is at the end, is missing. Upload the whole ZIP again."
)
HEADLESS = _l(
    "This file is not a ZIP as it is: its beginning is missing. It is the last part of a split ZIP, or it was damaged "
    "on the way. Join all its parts to one whole ZIP and upload that."
)
EMPTY = _l("This file is not a ZIP: it is empty (0 bytes). Make the ZIP again and upload it.")
UNKNOWN = _l("This file is not a ZIP, or it was cut short. Make the ZIP again and upload it whole.")

ARCHIVES = (
    (b"Rar!\x1a\x07", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7z (7-Zip)"), (b"\xfd7zXZ\0", "xz (tar.xz)"),
    (b"BZh", "bzip2 (tar.bz2)"), (b"\x28\xb5\x2f\xfd", "Zstandard (tar.zst)"), (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\x1f\x9d", "Unix compress (.Z)"), (b"MSCF", "Windows cabinet (CAB)"), (b"!<arch>", "Unix ar"),
    (b"\x60\xea", "ARJ"), (b"xar!", "xar"), (b"StuffIt", "StuffIt"), (b"SIT!", "StuffIt"),
)  # fmt: skip
DOCUMENTS = (
    (b"%PDF-", _l("a PDF document")), (b"\xff\xd8\xff", _l("a JPEG image")), (b"\x89PNG\r\n", _l("a PNG image")),
    (b"GIF8", _l("a GIF image")), (b"BM", _l("a BMP image")), (b"II*\0", _l("a TIFF image")),
    (b"MM\0*", _l("a TIFF image")), (b"\x89HDF\r\n", _l("an HDF5 file")), (b"PAR1", _l("a Parquet file")),
    (b"SQLite format 3\0", _l("an SQLite database")), (b"\x7fELF", _l("a program")), (b"MZ", _l("a program")),
    (b"\xd0\xcf\x11\xe0", _l("a Microsoft Office document")), (b"\x1aE\xdf\xa3", _l("a video")),
    (b"\x80\x02", _l("a Python pickle")), (b"\x93NUMPY", _l("a NumPy array")), (b"d8:announce", _l("a torrent file")),
    (b"{\\rtf", _l("a text document (RTF)")),
)  # fmt: skip
SUFFIXES = {".rar": "RAR", ".7z": "7z (7-Zip)", ".tar": "tar", ".gz": "gzip", ".tgz": "gzip (tar.gz)",
            ".xz": "xz (tar.xz)", ".txz": "xz (tar.xz)", ".bz2": "bzip2 (tar.bz2)", ".tbz2": "bzip2 (tar.bz2)",
            ".zst": "Zstandard (tar.zst)", ".lz4": "LZ4", ".cab": "Windows cabinet (CAB)"}  # fmt: skip
PARTS = re.compile(r"(?i)\.(z\d\d|zip\.\d{3}|part\d+(\.zip)?|\d{3})$")
MARKUP = re.compile(rb"(?i)\s*(<!--.*?-->\s*)*(<\?xml[^>]*>\s*)?(<!doctype html|<html|<head|<body|<script|<meta)", re.S)


class NotZip(BadUpload):
    """The file is no ZIP, or not all of one; the message says what it is as far as that is known."""


def split_part() -> NotZip:
    return NotZip(str(PART))


def headless() -> NotZip:
    return NotZip(str(HEADLESS))


def no_zip() -> NotZip:
    return NotZip(str(UNKNOWN))


def named(file: IO[bytes], error: NotZip) -> NotZip:
    """The same refusal, with what the file is where its first bytes show it."""
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        return NotZip(str(EMPTY))
    if head.startswith((b"PK\7\x08", b"PK00PK")):
        return split_part()
    if head.startswith(b"PK\3\4") and str(error.detail) == str(UNKNOWN):
        return NotZip(str(CUT))
    said = what_it_is(head)
    return NotZip(said) if said else error


def what_it_is(head: bytes) -> str | None:
    """The answer for a file that begins so; None where nobody knows."""
    for mark, kind in ARCHIVES:
        if head.startswith(mark):
            return str(ARCHIVE) % {"kind": kind}
    if head.startswith(b"\x1f\x8b"):
        return str(ARCHIVE) % {"kind": "gzip (tar.gz)" if is_tar(inflated(head)) else "gzip"}
    if is_tar(head):
        return str(ARCHIVE) % {"kind": "tar"}
    if head[4:8] == b"ftyp":
        return str(DOCUMENT) % {"kind": _("a video")}
    if head[:4] == b"RIFF":
        return str(DOCUMENT) % {"kind": _("a WebP image") if head[8:12] == b"WEBP" else _("a video")}
    for mark, words in DOCUMENTS:
        if head.startswith(mark):
            return str(DOCUMENT) % {"kind": words}
    return text_kind(head)


def text_kind(head: bytes) -> str | None:
    """The same for what people can read."""
    body = head.removeprefix(b"\xef\xbb\xbf")
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        body = body.decode("utf-16", "ignore").encode()
    if MARKUP.match(body):
        return str(PAGE)
    if body.startswith(b"version https://git-lfs"):
        return str(POINTER)
    try:
        text = body.decode() if len(body) < HEAD else body[:-4].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return None
    if any(not char.isprintable() and not char.isspace() for char in text):
        return None
    kinds = {"{": _("a JSON text"), "[": _("a JSON text"), "<": _("an XML text")}
    return str(DOCUMENT) % {"kind": kinds.get(text.lstrip()[:1], _("a text file"))}


def is_tar(head: bytes) -> bool:
    return head[TAR_AT : TAR_AT + 5] == b"ustar"


def inflated(head: bytes) -> bytes:
    """The first bytes in a gzip."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 1024)
    except zlib.error:
        return b""


def by_name(filename: str) -> str | None:
    """The answer for a file whose name says that it is no ZIP; None where it says nothing."""
    name = PurePath(filename).name
    if PARTS.search(name):
        return str(PART)
    kind = SUFFIXES.get(PurePath(name).suffix.lower())
    return str(ARCHIVE) % {"kind": kind} if kind else None
