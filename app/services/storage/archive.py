"""Which members of an archive, or files of a folder, may come in; nothing is written before all were checked."""

import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.directory import ENCRYPTED, Entry
from app.services.storage.methods import CALLED, READABLE
from app.services.storage.paths import MAX_DEPTH, safe_parts, shown
from app.texts import size

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif",
                    ".avif", ".jfif", ".jpe"})  # fmt: skip
LABELS = frozenset({".txt"})
YAMLS = frozenset({".yaml", ".yml"})
ANNOTATIONS = frozenset({".xml", ".json", ".csv", ".tsv", ".ndjson", ".jsonl"})
LISTS = frozenset({".names", ".data", ".labels", ".pbtxt"})  # class names, and where darknet's parts are
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
    originals: dict[str, str] = field(default_factory=dict)  # by path below the source: the name in the archive
    archives: list[Entry] = field(default_factory=list)  # those inside
    notes: list[dict[str, Any]] = field(default_factory=list)  # decisions: code and data, see texts.DECISIONS

    def note(self, code: str, **data: Any) -> None:
        self.notes.append({"code": code, "data": data})

    def skip(self, kind: str, name: str) -> None:
        self.skipped[kind] += 1
        if len(self.skipped_names) < NAMED:
            self.skipped_names.append(shown(name))


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
    listing.members = once_each(listing, pause)
    lift(listing)
    refuse_folders(listing.members, pause)
    for member in listing.members:
        refuse_method(member.entry)
        note_renamed(listing, member)
    return listing


def once_each(listing: Listing, pause: Callable[[], None]) -> list[Member]:
    """The members without those that are there twice with the same content.

    Raises:
        Unprocessable: two names that some systems take for one, with different contents; it names both.
    """
    seen: dict[str, Member] = {}
    twins: list[str] = []
    for member in listing.members:
        pause()
        first = seen.setdefault("/".join(member.parts).casefold(), member)
        if first is member:
            continue
        if not same_content(first.entry, member.entry):
            raise collision(first, member)
        twins.append(member.entry.name)
    if twins:
        listing.note("members_twice", count=len(twins), first=shown(twins[0]))
    return list(seen.values())


def same_content(one: Entry, other: Entry) -> bool:
    """Whether the archive says so; files of a folder have no checksum, and are not read for it."""
    return bool(one.raw) and (one.size, one.crc) == (other.size, other.crc)


def lift(listing: Listing) -> None:
    """Cut off the folders above the dataset where a whole home path was packed.

    Raises:
        Unprocessable: a member is nested too deeply, and not only by folders that hold nothing else.
    """
    deepest = max((member for member in listing.members), key=lambda member: len(member.parts), default=None)
    excess = len(deepest.parts) - MAX_DEPTH if deepest else 0
    if deepest is None or excess <= 0:
        return
    above = deepest.parts[:excess]
    for member in listing.members:
        inside = member.parts[:excess] == above
        if not inside and len(member.parts) > 1:  # loose files beside the path stay where they are
            raise Unprocessable(_("%(name)s is in a folder nested too deeply (limit: %(limit)s).",
                                  name=shown(deepest.entry.name), limit=MAX_DEPTH))  # fmt: skip
        if inside:
            member.parts = member.parts[excess:]
    listing.note("folders_cut", folder=shown("/".join(above)))


def refuse_folders(members: Iterable[Member], pause: Callable[[], None]) -> None:
    """A file where a folder must be.

    Raises:
        Unprocessable: it names both.
    """
    seen = {"/".join(member.parts).casefold(): member for member in members}
    for member in members:
        pause()
        for depth in range(1, len(member.parts)):
            inner = seen.get("/".join(member.parts[:depth]).casefold())
            if inner is not None:
                raise collision(inner, member)


def collision(first: Member, second: Member) -> Unprocessable:
    if first.entry.name == second.entry.name:
        return Unprocessable(_("The ZIP holds %(name)s twice, with different contents. Keep one of the two and make "
                               "the ZIP again.", name=shown(first.entry.name)))  # fmt: skip
    return Unprocessable(_("%(first)s and %(second)s have the same path. Rename one of them and upload again.",
                           first=shown(first.entry.name), second=shown(second.entry.name)))  # fmt: skip


def note_renamed(listing: Listing, member: Member) -> None:
    """Count a member that is stored under another name than it has."""
    name = member.entry.name
    if list(member.parts) != [part for part in name.split("/") if part not in {"", "."}][-len(member.parts) :]:
        listing.renamed_count += 1
        if len(listing.renamed) < NAMED:
            listing.renamed.append((shown(name), "/".join(member.parts)))
        listing.originals["/".join(member.parts)] = name


def refuse_kinds(entry: Entry) -> None:
    """Links, devices and encryption."""
    if stat.S_IFMT(entry.mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise Unprocessable(
            _("%(name)s is a link or a device, not a file. Remove it from the ZIP.", name=shown(entry.name))
        )
    if entry.flags & ENCRYPTED:
        raise Unprocessable(_("%(name)s is encrypted. Create the ZIP without a password.", name=shown(entry.name)))


def refuse_method(entry: Entry) -> None:
    """Raises: Unprocessable: a packing method that is not read here."""
    if entry.method not in READABLE:
        raise Unprocessable(_("%(name)s is packed with method %(method)s. Make the ZIP with the usual one (deflate).",
                              name=shown(entry.name),
                              method=f"{entry.method} ({CALLED[entry.method]})" if entry.method in CALLED
                              else entry.method))  # fmt: skip


def refuse_sizes(entry: Entry, total: int, limits: Limits) -> None:
    """Bombs."""
    if entry.size > RATIO_FROM and entry.size > MAX_RATIO * entry.packed:
        raise Unprocessable(_("%(name)s expands to more than %(ratio)s times its compressed size, which isn't "
                              "accepted.",
                              name=shown(entry.name), ratio=MAX_RATIO))  # fmt: skip
    if total > limits.max_expanded:
        raise Unprocessable(_("Extracted, the ZIP would exceed %(limit_size)s (MAX_EXPANDED_SIZE).",
                              limit_size=size(limits.max_expanded)))  # fmt: skip


def sort_in(listing: Listing, entry: Entry, parts: tuple[str, ...]) -> None:
    """Put a member where it belongs by its name."""
    suffix = PurePosixPath(parts[-1]).suffix.lower()
    if "__MACOSX" in parts:
        listing.skip("__MACOSX", entry.name)
    elif any(part.startswith(".") for part in parts):  # ultralytics does not see them either
        listing.skip("hidden", entry.name)
    elif suffix in ARCHIVES:
        listing.skip("archive", entry.name)
        listing.archives.append(entry)
    elif kind := KINDS.get(suffix):
        if entry.size > LARGEST.get(kind, entry.size):
            refuse_size(entry, kind)
            listing.skip("large", entry.name)
            return
        listing.members.append(Member(entry, parts, kind))
    else:
        listing.skip(suffix or "other", entry.name)


def refuse_size(entry: Entry, kind: str) -> None:
    """A label or annotation file that is too large to be read; YAML and lists of that size are left out.

    Raises:
        Unprocessable: it is one.
    """
    if kind == "label":
        raise Unprocessable(_("%(name)s is too large for a label file (limit: %(limit_size)s).", name=shown(entry.name),
                              limit_size=size(MAX_LABEL)))  # fmt: skip
    if kind == "annotation":
        raise Unprocessable(_("%(name)s is too large for an annotation file (limit: %(limit_size)s).",
                              name=shown(entry.name), limit_size=size(MAX_ANNOTATION)))  # fmt: skip
