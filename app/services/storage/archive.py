"""What a ZIP says about itself, read and checked before a byte is written.

The directory is read here and not by `zipfile`: that reads it in one go (seconds for 200,000 entries, during which no
other client is served), and before Python 3.11.8 it does not notice overlapping entries (CVE-2024-0450).
"""

import stat
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any

from flask_babel import gettext as _

from app.errors import BadUpload, Unprocessable
from app.services.storage.paths import safe_parts, shown

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
LABELS = frozenset({".txt"})
YAMLS = frozenset({".yaml", ".yml"})
ANNOTATIONS = frozenset({".xml", ".json"})
LISTS = frozenset({".names", ".data"})  # darknet's class names, and where its parts are
ARCHIVES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})

MAX_RATIO = 100
RATIO_FROM = 1_000_000  # bytes: small files of repeated text pack better than any bomb needs to
MAX_LABEL = 16 * 1024**2  # bytes: read whole, here and by ultralytics
MAX_ANNOTATION = 1024**3  # bytes: one file for all images
MAX_LIST = 256 * 1024  # bytes
NAMED = 50  # names kept in the report

KINDS = {
    suffix: kind
    for kind, suffixes in (
        ("image", IMAGES), ("label", LABELS), ("yaml", YAMLS), ("annotation", ANNOTATIONS), ("list", LISTS)
    )
    for suffix in suffixes
}  # fmt: skip
LARGEST = {"label": MAX_LABEL, "yaml": MAX_LABEL, "annotation": MAX_ANNOTATION, "list": MAX_LIST}

STORED, DEFLATED = 0, 8
ENCRYPTED = 0x1 | 0x40 | 0x2000
UTF8 = 0x800

END = struct.Struct("<4s4H2LH")
LOCATOR_64 = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
LOCAL_SIZE = 30


@dataclass(frozen=True)
class Limits:
    """What an upload may cost. Sizes in bytes."""

    max_entries: int = 200_000
    max_expanded: int = 10 * 1024**3
    min_free: int = 5 * 1024**3
    max_classes: int = 1000

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Limits":
        return cls(
            config["MAX_ZIP_ENTRIES"], config["MAX_EXPANDED_SIZE"], config["MIN_FREE_DISK"], config["MAX_CLASSES"]
        )


@dataclass(slots=True)
class Entry:
    """One member, as the central directory has it. `end` is where the next one begins."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    end: int = 0


@dataclass(slots=True)
class Member:
    """An entry that may be extracted; `parts` is its safe path in the archive."""

    entry: Entry
    parts: tuple[str, ...]
    kind: str  # image, label, yaml, annotation or list


@dataclass
class Listing:
    """What a checked archive holds, and what is left out of it."""

    members: list[Member] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)  # by suffix or reason
    skipped_names: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    renamed_count: int = 0

    def skip(self, kind: str, name: str) -> None:
        self.skipped[kind] += 1
        if len(self.skipped_names) < NAMED:
            self.skipped_names.append(shown(name))


def no_zip() -> BadUpload:
    return BadUpload(_("This file is not a ZIP, or it was cut short. Make the ZIP again and send it whole."))


def read_directory(file: IO[bytes], limits: Limits, pause: Callable[[], None]) -> list[Entry]:
    """The archive's members in the order of their data. `pause` is called once a member.

    Raises:
        BadUpload: no ZIP, or not all of it.
        Unprocessable: more members than allowed, or members that share data.
    """
    count, directory, shift = find_directory(file)
    if directory[0] >= directory[1]:
        raise BadUpload(_("The ZIP is empty."))
    entries: list[Entry] = []
    file.seek(directory[0])
    while file.tell() < directory[1]:
        if len(entries) >= limits.max_entries or count > limits.max_entries:
            raise Unprocessable(_("The ZIP holds more than %(limit)s files (MAX_ZIP_ENTRIES).",
                                  limit=limits.max_entries))  # fmt: skip
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
    _sig, _disk, _cd_disk, _here, count, length, start, _comment = END.unpack_from(tail, at)
    end = tail_at + at
    if at >= LOCATOR_64.size and tail[at - LOCATOR_64.size :].startswith(b"PK\6\7"):
        file.seek(LOCATOR_64.unpack_from(tail, at - LOCATOR_64.size)[2])
        record = file.read(END_64.size)
        if len(record) < END_64.size or not record.startswith(b"PK\6\6"):
            raise no_zip()
        count, length, start = END_64.unpack(record)[7:]
        end -= LOCATOR_64.size + END_64.size
    shift = end - length - start  # bytes before the archive, as self-extracting ones have
    if shift < 0:
        raise no_zip()
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
    return Entry(decode_name(raw, flags), flags, method, crc, packed, size, offset + shift, external >> 16)


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


def decode_name(raw: bytes, flags: int) -> str:
    """Tools that write UTF-8 without saying so are more common than those that mean code page 437."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if flags & UTF8 else raw.decode("cp437")


def refuse_overlaps(entries: list[Entry], directory: int) -> None:
    """Set each member's end; refuse members that share bytes, which is how 20 KB become terabytes."""
    for entry, following in zip(entries, [*(item.offset for item in entries[1:]), directory], strict=True):
        if entry.offset + LOCAL_SIZE + entry.packed > following:
            raise Unprocessable(_("Files in the ZIP overlap (%(name)s). Make it again with another tool.",
                                  name=shown(entry.name)))  # fmt: skip
        entry.end = following


def check(entries: Iterable[Entry], limits: Limits, pause: Callable[[], None]) -> Listing:
    """Sort the members into those to extract and those to leave out. `pause` is called once a member.

    Raises:
        Unprocessable: a member that no honest dataset holds; the message names it.
    """
    listing = Listing()
    total = 0
    for entry in entries:
        pause()
        refuse_kinds(entry)
        parts = safe_parts(entry.name)
        if entry.name.endswith(("/", "\\")) or not parts:
            continue
        total += entry.size
        refuse_sizes(entry, total, limits)
        sort_in(listing, entry, parts)
    refuse_collisions(listing.members, pause)
    return listing


def refuse_collisions(members: Iterable[Member], pause: Callable[[], None]) -> None:
    """Two names that some systems take for one, and a file where a folder must be.

    Raises:
        Unprocessable: it names both.
    """
    seen: dict[str, Member] = {}
    for member in members:
        pause()
        other = seen.setdefault("/".join(member.parts).casefold(), member)
        if other is not member:
            raise collision(other, member)
    for member in members:
        pause()
        for depth in range(1, len(member.parts)):
            inner = seen.get("/".join(member.parts[:depth]).casefold())
            if inner is not None:
                raise collision(inner, member)


def collision(first: Member, second: Member) -> Unprocessable:
    return Unprocessable(_("%(first)s and %(second)s would be the same file.",
                           first=shown(first.entry.name), second=shown(second.entry.name)))  # fmt: skip


def refuse_kinds(entry: Entry) -> None:
    """Links, devices, encryption and packing methods that are not read here."""
    if stat.S_IFMT(entry.mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise Unprocessable(_("%(name)s is a link or a device, not a file.", name=shown(entry.name)))
    if entry.flags & ENCRYPTED:
        raise Unprocessable(_("%(name)s is encrypted. Make the ZIP without a password.", name=shown(entry.name)))
    if entry.method not in {STORED, DEFLATED}:
        raise Unprocessable(_("%(name)s is packed with method %(method)s. Make the ZIP with the usual one (deflate).",
                              name=shown(entry.name), method=entry.method))  # fmt: skip


def refuse_sizes(entry: Entry, total: int, limits: Limits) -> None:
    """Bombs."""
    if entry.size > RATIO_FROM and entry.size > MAX_RATIO * entry.packed:
        raise Unprocessable(_("%(name)s expands to more than %(ratio)s times its packed size.",
                              name=shown(entry.name), ratio=MAX_RATIO))  # fmt: skip
    if total > limits.max_expanded:
        raise Unprocessable(_("Extracted, the ZIP would have more than %(limit)s bytes (MAX_EXPANDED_SIZE).",
                              limit=limits.max_expanded))  # fmt: skip


def sort_in(listing: Listing, entry: Entry, parts: tuple[str, ...]) -> None:
    """Put a member where it belongs by its name."""
    suffix = PurePosixPath(parts[-1]).suffix.lower()
    if "__MACOSX" in parts:
        listing.skip("__MACOSX", entry.name)
    elif any(part.startswith(".") for part in parts):  # ultralytics does not see them either
        listing.skip("hidden", entry.name)
    elif suffix in ARCHIVES:
        listing.skip("archive", entry.name)
    elif kind := KINDS.get(suffix):
        if entry.size > LARGEST.get(kind, entry.size):
            refuse_size(entry, kind)
            listing.skip("large", entry.name)
            return
        listing.members.append(Member(entry, parts, kind))
        if list(parts) != [part for part in entry.name.split("/") if part not in {"", "."}]:
            listing.renamed_count += 1
            if len(listing.renamed) < NAMED:
                listing.renamed.append((shown(entry.name), "/".join(parts)))
    else:
        listing.skip(suffix or "other", entry.name)


def refuse_size(entry: Entry, kind: str) -> None:
    """A label or annotation file that is too large to be read; YAML and lists of that size are left out.

    Raises:
        Unprocessable: it is one.
    """
    if kind == "label":
        raise Unprocessable(_("%(name)s is too large for a label file (%(limit)s bytes).", name=shown(entry.name),
                              limit=MAX_LABEL))  # fmt: skip
    if kind == "annotation":
        raise Unprocessable(_("%(name)s is too large for an annotation file (%(limit)s bytes).",
                              name=shown(entry.name), limit=MAX_ANNOTATION))  # fmt: skip
