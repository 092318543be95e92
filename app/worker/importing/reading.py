"""Reads the list of an uploaded ZIP: its members under decoded names, including those of nested ZIPs."""

import tempfile
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from app.core.imports import ArchiveLimits
from app.core.names import printable_name
from app.worker.failures import InvalidInput
from app.worker.importing.codepages import name_entries
from app.worker.importing.content import READABLE, content
from app.worker.importing.directory import ZipEntry, read_directory
from app.worker.importing.disk import check_space
from app.worker.importing.members import EVERY_KIND, Listing, check
from app.worker.importing.not_zip import NotZip, named

LABELS = frozenset({"label", "annotation"})
MOST_INSIDE = 20  # nested ZIPs
LISTED = 5


def read_archive(file: IO[bytes], limits: ArchiveLimits, tmp: Path, kinds: AbstractSet[str] = EVERY_KIND) -> Listing:
    """The members to extract. A ZIP without images but with nested ZIPs is read with those in folders of their names.

    Args:
        kinds: of members to extract; others are skipped.
        tmp: for nested ZIPs while they are read, as unnamed files.

    Raises:
        NotZip: the file is not a ZIP; the error names its type.
        InvalidInput: unsafe, too large, or with only other archives.
    """
    try:
        entries = read_directory(file, limits.max_entries)
    except NotZip as error:
        raise named(file, error) from None
    encoding = name_entries(file, entries)
    listing = check(entries, limits, kinds)
    if encoding:
        listing.note("names_decoded", encoding=encoding)
    if listing.archives and not has(listing, {"image"}):
        return opened(file, entries, listing, limits, Inside(tmp), kinds)
    if listing.archives and kinds & LABELS and not has(listing, LABELS):
        return with_labels(file, entries, listing, limits, Inside(tmp))
    return listing


def has(listing: Listing, kinds: AbstractSet[str]) -> bool:
    return any(member.kind in kinds for member in listing.members)


def with_labels(
    file: IO[bytes], entries: Sequence[ZipEntry], listing: Listing, limits: ArchiveLimits, inside: "Inside"
) -> Listing:
    """The listing of a ZIP with only images, including nested ZIPs with labels and without images."""
    every, names = list(entries), []
    for entry in zips_in(listing)[:MOST_INSIDE]:
        try:
            members = inside.entries(file, entry, limits, limits.max_entries - len(every))
            inner = check(members, limits)
        except InvalidInput:  # it need not be a part of the dataset
            continue
        if has(inner, LABELS) and not has(inner, {"image"}):
            every = [candidate for candidate in every if candidate is not entry] + members
            names.append(printable_name(entry.name))
    if not names:
        return listing
    try:
        united = check(every, limits)
    except InvalidInput:  # together they are too many or conflict: use the images alone
        return listing
    united.notes = [*listing.notes, *united.notes]
    united.note("zips_opened", count=len(names), names=", ".join(names[:LISTED]))
    return united


def zips_in(listing: Listing) -> list[ZipEntry]:
    return [entry for entry in listing.archives if entry.name.lower().endswith(".zip") and entry.method in READABLE]


class Inside:
    """Extracts nested ZIPs to unnamed files."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp

    def entries(self, file: IO[bytes], outer: ZipEntry, limits: ArchiveLimits, most: int) -> list[ZipEntry]:
        """The members of a nested ZIP, below its folder."""
        check_space(self.tmp, outer.size, limits.min_free)
        copy = tempfile.TemporaryFile(dir=self.tmp)  # noqa: SIM115 (its entries hold it)
        try:
            for chunk in content(file, outer):
                copy.write(chunk)
            members = read_directory(copy, most)
        except NotZip as error:
            why = named(copy, error)
            raise InvalidInput("zip_inside", name=printable_name(outer.name), why=why.code, why_data=why.data) from None
        name_entries(copy, members)
        folder = folder_for(outer.name, members)
        return [replace(entry, name=f"{folder}{entry.name}", file=copy) for entry in members]


def folder_for(name: str, entries: Sequence[ZipEntry]) -> str:
    """The folder for the members of a nested ZIP: its name, unless their own folder has that already."""
    path = PurePosixPath(name.replace("\\", "/"))
    above = "" if str(path.parent) == "." else f"{path.parent}/"
    tops = {entry.name.replace("\\", "/").partition("/")[0].casefold() for entry in entries}
    return above if tops == {path.stem.casefold()} else f"{above}{path.stem}/"


def opened(
    file: IO[bytes],
    entries: Sequence[ZipEntry],
    listing: Listing,
    limits: ArchiveLimits,
    inside: Inside,
    kinds: AbstractSet[str],
) -> Listing:
    """The combined listing of a ZIP and its nested ZIPs.

    Raises:
        InvalidInput: there are too many, or none is readable.
    """
    zips = zips_in(listing)
    names_of_archives = ", ".join(printable_name(entry.name) for entry in listing.archives[:LISTED])
    if not zips or len(zips) > MOST_INSIDE:
        raise InvalidInput("zip_of_archives", names=names_of_archives)
    sizes = sum(entry.size for entry in zips)
    if sizes > limits.max_expanded:
        raise InvalidInput("zip_expanded", limit=limits.max_expanded)
    zip_ids = {id(entry) for entry in zips}
    every = [entry for entry in entries if id(entry) not in zip_ids]
    for entry in zips:
        every += inside.entries(file, entry, limits, limits.max_entries - len(every))
    members = check(every, limits, kinds)
    if not any(member.kind == "image" for member in members.members) and members.archives:
        names = ", ".join(printable_name(entry.name) for entry in members.archives[:LISTED])
        raise InvalidInput("zip_of_archives_inside", names=names)
    members.notes = [*listing.notes, *members.notes]
    members.note("zips_opened", count=len(zips), names=", ".join(printable_name(entry.name) for entry in zips[:LISTED]))
    return members
