"""Selects the members of an archive, or files of a folder, to extract, before anything is written."""

import stat
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from app.core.imports import ArchiveLimits
from app.core.names import printable_name
from app.core.report import Decision
from app.core.suffixes import IMAGES, SYSTEM_FOLDERS, UNREAD_IMAGES
from app.core.unread import ARCHIVES, UNREAD
from app.worker.failures import InvalidInput
from app.worker.importing.content import CALLED, READABLE
from app.worker.importing.directory import ENCRYPTED, ZipEntry
from app.worker.importing.paths import MAX_DEPTH, safe_parts

LABELS = frozenset({".txt"})
YAMLS = frozenset({".yaml", ".yml"})
ANNOTATIONS = frozenset({".xml", ".json", ".csv", ".tsv", ".ndjson", ".jsonl"})
LISTS = frozenset({".names", ".data", ".labels", ".pbtxt"})  # class names, and darknet's paths

MAX_RATIO = 100
RATIO_FROM = 1_000_000  # bytes: small repetitive files compress better than a bomb would need
MAX_LABEL = 16 * 1024**2  # bytes: read at once, here and by ultralytics
MAX_ANNOTATION = 1024**3  # bytes: one file for all images
MAX_LIST = 256 * 1024  # bytes
NAMED = 50  # names in the report

KINDS = {
    suffix: kind
    for kind, suffixes in (
        ("image", IMAGES),
        ("label", LABELS),
        ("yaml", YAMLS),
        ("annotation", ANNOTATIONS),
        ("list", LISTS),
    )
    for suffix in suffixes
}
EVERY_KIND = frozenset(KINDS.values())
LARGEST = {"label": MAX_LABEL, "yaml": MAX_LABEL, "annotation": MAX_ANNOTATION, "list": MAX_LIST}


@dataclass(slots=True)
class Member:
    """An entry to extract; `parts` is its safe path in the archive."""

    entry: ZipEntry
    parts: tuple[str, ...]
    kind: str  # image, label, yaml, annotation or list


@dataclass
class Listing:
    """The contents of a checked archive, and what is skipped."""

    members: list[Member] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)  # by suffix or reason
    skipped_names: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    renamed_count: int = 0
    originals: dict[str, str] = field(default_factory=dict)  # by path below the source: the name in the archive
    archives: list[ZipEntry] = field(default_factory=list)  # nested archives
    notes: list[Decision] = field(default_factory=list)  # decisions: code and data, see texts.DECISIONS

    def note(self, code: str, **data: Any) -> None:
        self.notes.append({"code": code, "data": data})

    def skip(self, kind: str, name: str) -> None:
        self.skipped[kind] += 1
        if kind in UNREAD or kind == "archive":  # files that may contain the labels come before others
            self.skipped_names = [*self.skipped_names[: NAMED - 1], printable_name(name)]
        elif len(self.skipped_names) < NAMED:
            self.skipped_names.append(printable_name(name))


def check(entries: Iterable[ZipEntry], limits: ArchiveLimits, kinds: AbstractSet[str] = EVERY_KIND) -> Listing:
    """Separate the members to extract from those to skip.

    Args:
        kinds: of members to extract; others are skipped.

    Raises:
        InvalidInput: a member that no legitimate dataset has; the message names it.
    """
    listing = Listing()
    total = 0
    for entry in entries:
        refuse_kinds(entry)
        parts = safe_parts(entry.name)
        if entry.name.endswith(("/", "\\")) or not parts:
            continue
        total += entry.size
        refuse_sizes(entry, total, limits)
        sort_in(listing, entry, parts, kinds)
    note_unread(listing)
    listing.members = once_each(listing)
    lift(listing)
    refuse_folders(listing.members)
    for member in listing.members:
        refuse_method(member.entry)
        note_renamed(listing, member)
    return listing


def note_unread(listing: Listing) -> None:
    """Record images that are skipped because of their format."""
    kinds = sorted(listing.skipped.keys() & UNREAD_IMAGES)
    if kinds:
        count = sum(listing.skipped[kind] for kind in kinds)
        listing.note("images_unread", count=count, kinds=", ".join(kinds))


def once_each(listing: Listing) -> list[Member]:
    """The members without repeated ones of the same content.

    Raises:
        InvalidInput: two names that some systems consider equal, with different contents; it names both.
    """
    by_path: dict[str, Member] = {}
    twins: list[str] = []
    for member in listing.members:
        first = by_path.setdefault("/".join(member.parts).casefold(), member)
        if first is member:
            continue
        if not same_content(first.entry, member.entry):
            raise collision(first, member)
        twins.append(member.entry.name)
    if twins:
        listing.note("members_twice", count=len(twins), first=printable_name(twins[0]))
    return list(by_path.values())


def same_content(first: ZipEntry, second: ZipEntry) -> bool:
    """Whether the checksums agree; files of a folder have none, and are not read for this."""
    return bool(first.raw) and (first.size, first.crc) == (second.size, second.crc)


def lift(listing: Listing) -> None:
    """Remove common leading folders if an entire home path was archived.

    Raises:
        InvalidInput: a member is nested too deeply even without them.
    """
    deepest = max((member for member in listing.members), key=lambda member: len(member.parts), default=None)
    excess = len(deepest.parts) - MAX_DEPTH if deepest else 0
    if deepest is None or excess <= 0:
        return
    above = deepest.parts[:excess]
    for member in listing.members:
        inside = member.parts[:excess] == above
        if not inside and len(member.parts) > 1:  # loose files outside of the path stay where they are
            raise InvalidInput("path_deep", name=printable_name(deepest.entry.name), limit=str(MAX_DEPTH))
        if inside:
            member.parts = member.parts[excess:]
    listing.note("folders_cut", folder=printable_name("/".join(above)))


def refuse_folders(members: Iterable[Member]) -> None:
    """Refuse a file whose path is also a folder.

    Raises:
        InvalidInput: there is one; it names both.
    """
    by_path = {"/".join(member.parts).casefold(): member for member in members}
    for member in members:
        for depth in range(1, len(member.parts)):
            inner = by_path.get("/".join(member.parts[:depth]).casefold())
            if inner is not None:
                raise collision(inner, member)


def collision(first: Member, second: Member) -> InvalidInput:
    if first.entry.name == second.entry.name:
        return InvalidInput("members_differ", name=printable_name(first.entry.name))
    return InvalidInput(
        "members_collide", first=printable_name(first.entry.name), second=printable_name(second.entry.name)
    )


def note_renamed(listing: Listing, member: Member) -> None:
    """Count a member that is stored under another name."""
    name = member.entry.name
    if list(member.parts) != [part for part in name.split("/") if part not in {"", "."}][-len(member.parts) :]:
        listing.renamed_count += 1
        if len(listing.renamed) < NAMED:
            listing.renamed.append((printable_name(name), "/".join(member.parts)))
        listing.originals["/".join(member.parts)] = name


def refuse_kinds(entry: ZipEntry) -> None:
    """Refuse links, devices and encryption."""
    if stat.S_IFMT(entry.mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise InvalidInput("member_link", name=printable_name(entry.name))
    if entry.flags & ENCRYPTED:
        raise InvalidInput("member_encrypted", name=printable_name(entry.name))


def refuse_method(entry: ZipEntry) -> None:
    """Check that a member's compression method is supported.

    Raises:
        InvalidInput: it is not.
    """
    if entry.method not in READABLE:
        called = f"{entry.method} ({CALLED[entry.method]})" if entry.method in CALLED else str(entry.method)
        raise InvalidInput("member_method", name=printable_name(entry.name), method=called)


def refuse_sizes(entry: ZipEntry, total: int, limits: ArchiveLimits) -> None:
    """Refuse decompression bombs."""
    if entry.size > RATIO_FROM and entry.size > MAX_RATIO * entry.packed:
        raise InvalidInput("member_bomb", name=printable_name(entry.name), ratio=str(MAX_RATIO))
    if total > limits.max_expanded:
        raise InvalidInput("zip_expanded", limit=limits.max_expanded)


def sort_in(listing: Listing, entry: ZipEntry, parts: tuple[str, ...], kinds: AbstractSet[str]) -> None:
    """Add a member to a list according to its name."""
    suffix = PurePosixPath(parts[-1]).suffix.lower()
    if system := SYSTEM_FOLDERS.intersection(parts):
        listing.skip(min(system), entry.name)
    elif any(part.startswith(".") for part in parts):  # ultralytics ignores them too
        listing.skip("hidden", entry.name)
    elif suffix in ARCHIVES:
        listing.skip("archive", entry.name)
        listing.archives.append(entry)
    elif (kind := KINDS.get(suffix, "")) in kinds:
        if entry.size > LARGEST.get(kind, entry.size):
            refuse_size(entry, kind)
            listing.skip("large", entry.name)
            return
        listing.members.append(Member(entry, parts, kind))
    else:
        listing.skip(suffix or "other", entry.name)


def refuse_size(entry: ZipEntry, kind: str) -> None:
    """Refuse a label or annotation file that is too large; YAML and lists of that size are skipped.

    Raises:
        InvalidInput: it is one of the former.
    """
    if kind == "label":
        raise InvalidInput("label_huge", name=printable_name(entry.name), limit=MAX_LABEL)
    if kind == "annotation":
        raise InvalidInput("annotation_huge", name=printable_name(entry.name), limit=MAX_ANNOTATION)
