"""A dataset's files on their way in: extracted from a ZIP, or copied from a folder of the server."""

import errno
import fcntl
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.archive import Limits, Listing, Member, check
from app.services.storage.beneath import Beneath
from app.services.storage.directory import STORED, Entry
from app.services.storage.unpack import CHUNK, Pacer, extract

FICLONE = 0x40049409  # linux/fs.h: share the blocks of a file, where the file system can
MODE = stat.S_IFREG | 0o644
ORIGINALS = "names.json"  # in a dataset's folder: by path below source/, what the upload called it


@dataclass
class Staged:
    """Raw files that are extracted below `folder/source`, and are not in their place yet. `size_bytes` is theirs."""

    folder: Path
    size_bytes: int
    skipped: dict[str, Any] = field(default_factory=dict)
    renamed: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)  # decisions about the archive: code and data

    @property
    def source(self) -> Path:
        return self.folder / "source"


class Watcher(Protocol):
    """Whoever wants to know of files while they come."""

    def expect(self, folder: Path) -> None:
        """They are going to come, below `folder/source`."""

    def arrived(self, name: str) -> None:
        """An image is whole: its path below `source`."""

    def end(self) -> None:
        """They do not come; nobody reads them any more when this returns."""


def nobody(_name: str) -> None:
    """Told of an image that came; does nothing."""


def unpack(file: IO[bytes], listing: Listing, folder: Path, pacer: Pacer, told: Callable[[str], None]) -> None:
    """Extract every member to its safe path below `folder`; `told` hears of each image."""
    made: set[Path] = set()
    for member in listing.members:
        extract(file, member.entry, prepared(folder, member, made), pacer)
        if member.kind == "image":
            told("/".join(member.parts))
        pacer()


def prepared(folder: Path, member: Member, made: set[Path]) -> Path:
    """The path of a member, in a folder that exists."""
    target = folder.joinpath(*member.parts)
    if target.parent not in made:
        target.parent.mkdir(parents=True, exist_ok=True)
        made.add(target.parent)
    return target


def keep_names(staged: Staged, listing: Listing) -> None:
    """Write down what files were called that could not keep their names: grouping by source needs them."""
    if listing.originals:
        text = json.dumps(listing.originals, ensure_ascii=True)
        (staged.folder / ORIGINALS).write_text(text, encoding="utf-8")


def left_out(listing: Listing) -> dict[str, Any]:
    """What the report says about files that were skipped or renamed, and about the archive itself."""
    return {
        "notes": listing.notes,
        "skipped": {
            "count": listing.skipped.total(),
            "kinds": dict(listing.skipped),
            "names": listing.skipped_names,
        },
        "renamed": {
            "count": listing.renamed_count,
            "names": [{"from": before, "to": after} for before, after in listing.renamed],
        },
    }


def keep_original(file: IO[bytes], target: Path, pacer: Pacer) -> bool:
    """Give an upload's file a name, so that nothing is copied; a copy where it has no place on the same disk.

    Returns: whether `file` and `target` are the same file now.
    """
    try:
        here = os.open("/", os.O_RDONLY)
        try:  # with a folder's handle this is linkat, which follows /proc's link to a file without a name
            os.link(f"/proc/self/fd/{file.fileno()}", target, src_dir_fd=here, follow_symlinks=True)
        finally:
            os.close(here)
        return True
    except (OSError, AttributeError):  # another file system, no /proc, or a file in memory (io.UnsupportedOperation)
        pass
    file.seek(0)
    with open(target, "xb") as output:
        while chunk := file.read(CHUNK):
            output.write(chunk)
            pacer()
    return False


def list_folder(root: Beneath, limits: Limits, pacer: Pacer) -> Listing:
    """The files below a folder of the server, checked as an archive's members are.

    Raises:
        Unprocessable: a link that leads out of it, a name or a size that no dataset has, or too many files.
    """
    return check(entries(root, limits, pacer), limits, pacer)


def entries(root: Beneath, limits: Limits, pacer: Pacer) -> list[Entry]:
    """The folder as an archive would list it; links below the folder are followed to files, never out of it."""
    found: list[Entry] = []
    for name, real, size in root.walk(pacer):
        found.append(Entry(name, 0, STORED, 0, size, size, 0, MODE, extra=os.fsencode(real)))
        if len(found) > limits.max_entries:
            raise Unprocessable(_("The folder has more files than the limit of %(limit)s (MAX_ZIP_ENTRIES).",
                                  limit=limits.max_entries))  # fmt: skip
    return found


def copy_in(root: Beneath, listing: Listing, folder: Path, pacer: Pacer, told: Callable[[str], None]) -> None:
    """Copy a folder's files to their safe paths. Copies, not links: what is edited there later must not change here."""
    made: set[Path] = set()
    for member in listing.members:
        source = root.file(os.fsdecode(member.entry.extra))
        with source as file, open(prepared(folder, member, made), "xb") as output:
            copy(file, output, pacer)
        if member.kind == "image":
            told("/".join(member.parts))
        pacer()


def copy(file: IO[bytes], output: IO[bytes], pacer: Pacer) -> None:
    """The content of a file, by sharing its blocks where that can be."""
    try:
        fcntl.ioctl(output.fileno(), FICLONE, file.fileno())
        return
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.ENOSYS}:
            raise
    while chunk := file.read(CHUNK):
        output.write(chunk)
        pacer()
