"""A ZIP as people send it: its members under readable names, those of a ZIP inside it among them."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.archive import Limits, Listing, check
from app.services.storage.codepages import name_entries
from app.services.storage.directory import Entry, read_directory
from app.services.storage.kinds import NotZip, named
from app.services.storage.methods import READABLE
from app.services.storage.paths import shown
from app.services.storage.unpack import content
from app.texts import size

MOST_INSIDE = 20  # ZIPs in a ZIP
LISTED = 5


def read_archive(
    file: IO[bytes], limits: Limits, tmp: Path, pause: Callable[[], None], check_space: Callable[[int, int], None]
) -> Listing:
    """What may be extracted. A ZIP that holds no image but ZIPs is read with those in folders of their names.

    Args:
        tmp: where ZIPs that are inside are put while they are read, in files without names.
        check_space: refuses what would fill the disk.

    Raises:
        NotZip: it says what the file is. Unprocessable: unsafe, too large, or of nothing but other archives.
    """
    try:
        entries = read_directory(file, limits.max_entries, pause)
    except NotZip as error:
        raise named(file, error) from None
    encoding = name_entries(file, entries, pause)
    listing = check(entries, limits, pause)
    if encoding:
        listing.note("names_decoded", encoding=encoding)
    if listing.archives and not any(member.kind == "image" for member in listing.members):
        return opened(file, entries, listing, limits, Inside(tmp, pause, check_space))
    return listing


class Inside:
    """Takes ZIPs out of a ZIP, into files without names."""

    def __init__(self, tmp: Path, pause: Callable[[], None], check_space: Callable[[int, int], None]) -> None:
        self.tmp, self.pause, self.check_space = tmp, pause, check_space

    def entries(self, file: IO[bytes], outer: Entry, limits: Limits, most: int) -> list[Entry]:
        """The members of one, below its folder."""
        self.check_space(outer.size, limits.min_free)
        copy = tempfile.TemporaryFile(dir=self.tmp)  # noqa: SIM115 (its entries hold it)
        try:
            for chunk in content(file, outer):
                copy.write(chunk)
                self.pause()
            found = read_directory(copy, most, self.pause)
        except NotZip as error:
            raise Unprocessable(f"{shown(outer.name)}: {named(copy, error).detail}") from None
        name_entries(copy, found, self.pause)
        folder = folder_for(outer.name, found)
        return [replace(entry, name=f"{folder}{entry.name}", file=copy) for entry in found]


def folder_for(name: str, entries: Sequence[Entry]) -> str:
    """Where the members of an inner ZIP go: below its name, unless their own folder has that already."""
    path = PurePosixPath(name.replace("\\", "/"))
    above = "" if str(path.parent) == "." else f"{path.parent}/"
    tops = {entry.name.replace("\\", "/").partition("/")[0].casefold() for entry in entries}
    return above if tops == {path.stem.casefold()} else f"{above}{path.stem}/"


def opened(file: IO[bytes], entries: Sequence[Entry], listing: Listing, limits: Limits, inside: Inside) -> Listing:
    """The listing of a ZIP and those in it together.

    Raises:
        Unprocessable: there are too many, or none that can be read.
    """
    zips = [entry for entry in listing.archives if entry.name.lower().endswith(".zip") and entry.method in READABLE]
    others = ", ".join(shown(entry.name) for entry in listing.archives[:LISTED])
    if not zips or len(zips) > MOST_INSIDE:
        raise Unprocessable(_("The ZIP holds no images, only other archives (%(names)s). Extract them, and make one "
                              "ZIP of the folder.", names=others))  # fmt: skip
    sizes = sum(entry.size for entry in zips)
    if sizes > limits.max_expanded:
        raise Unprocessable(_("Extracted, the ZIP would exceed %(limit_size)s (MAX_EXPANDED_SIZE).",
                              limit_size=size(limits.max_expanded)))  # fmt: skip
    taken = {id(entry) for entry in zips}
    every = [entry for entry in entries if id(entry) not in taken]
    for entry in zips:
        every += inside.entries(file, entry, limits, limits.max_entries - len(every))
    found = check(every, limits, inside.pause)
    if not any(member.kind == "image" for member in found.members) and found.archives:
        names = ", ".join(shown(entry.name) for entry in found.archives[:LISTED])
        raise Unprocessable(_("The ZIP inside the ZIP holds no images, only other archives (%(names)s). Extract them, "
                              "and make one ZIP of the folder.", names=names))  # fmt: skip
    found.notes = [*listing.notes, *found.notes]
    found.note("zips_opened", count=len(zips), names=", ".join(shown(entry.name) for entry in zips[:LISTED]))
    return found
