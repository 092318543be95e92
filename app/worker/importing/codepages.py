"""Decodes file names in a ZIP that are not UTF-8: old tools write them in their machine's code page without naming it.

The ZIP's Unicode Path field takes precedence, then UTF-8; otherwise the annotation files decide, which name the images
in UTF-8; otherwise the likeliest reading.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import IO

from app.core.encodings import NAMES, readings
from app.worker.importing.content import content
from app.worker.importing.directory import UTF8, ZipEntry

UNICODE_PATH = 0x7075  # "up" of Info-ZIP's APPNOTE 4.6.9
ANNOTATION_SUFFIXES = (".json", ".xml", ".csv", ".txt", ".yaml", ".yml", ".ndjson")
READ = 2 * 1024**2  # bytes of annotation files that are searched for names
FILES = 200
MOST_NAMES = 12  # sampled names
TRIED = 8  # tried code pages


def name_entries(file: IO[bytes], entries: Sequence[ZipEntry]) -> str | None:
    """Set each entry's name; returns the code page that had to be guessed, None if every name has a known encoding."""
    waiting = []
    guess = any(is_foreign(entry) for entry in entries)
    for entry in entries:
        entry.name = declared_name(entry) or (
            "" if guess and not entry.raw.isascii() else entry.raw.decode("utf-8", "replace")
        )
        if not entry.name:
            waiting.append(entry)
    if not waiting:
        return None
    encoding = code_page(file, entries, waiting)
    for entry in waiting:
        entry.name = entry.raw.decode(encoding, "replace").replace("\ufffd", "_")
    return encoding


def is_foreign(entry: ZipEntry) -> bool:
    """Whether a name is neither declared nor valid as UTF-8."""
    return declared_name(entry) is None and not can_be_utf8(entry.raw)


def can_be_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def declared_name(entry: ZipEntry) -> str | None:
    """The name with a declared encoding; None without a declaration, or with a wrong one."""
    extra = entry.extra
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag == UNICODE_PATH and len(body) > 5 and struct.unpack_from("<L", body, 1)[0] == zlib.crc32(entry.raw):
            return body[5:].decode("utf-8", "replace").replace("\ufffd", "_")
    return entry.raw.decode() if entry.flags & UTF8 and can_be_utf8(entry.raw) else None


def code_page(file: IO[bytes], entries: Iterable[ZipEntry], waiting: Sequence[ZipEntry]) -> str:
    """The likeliest code page of these names."""
    parts = dict.fromkeys(part for entry in waiting for part in entry.raw.split(b"/") if not part.isascii())
    ranked = [name for _, name, _ in readings(b"\n".join(parts), NAMES)]
    if len(ranked) < 2:
        return ranked[0] if ranked else "cp437"
    stems = [entry.raw.rpartition(b"/")[2].rpartition(b".")[0] for entry in waiting]
    stems = [stem for stem in dict.fromkeys(stems) if not stem.isascii()][:MOST_NAMES]
    labels = annotations(file, entries) if stems else b""
    return max(ranked[:TRIED], key=lambda name: (hits(stems, name, labels), -ranked.index(name)))


def hits(stems: Sequence[bytes], encoding: str, labels: bytes) -> int:
    """How many names occur in the annotation files when decoded this way."""
    count = 0
    for stem in stems if labels else ():
        try:
            text = stem.decode(encoding)
        except UnicodeDecodeError:
            continue
        count += text.encode() in labels or json.dumps(text)[1:-1].encode() in labels
    return count


def annotations(file: IO[bytes], entries: Iterable[ZipEntry]) -> bytes:
    """The beginnings of the annotation files, concatenated; damaged ones are skipped."""
    body = bytearray()
    chosen = [
        entry
        for entry in entries
        if entry.raw.lower().endswith(tuple(suffix.encode() for suffix in ANNOTATION_SUFFIXES))
    ]
    for entry in sorted(chosen, key=lambda entry: not entry.raw.lower().endswith(b".json"))[:FILES]:
        try:
            for chunk in content(file, entry):
                body += chunk
                if len(body) > READ:
                    return bytes(body)
        except Exception:  # noqa: S112 (the extraction will say it)
            continue
    return bytes(body)
