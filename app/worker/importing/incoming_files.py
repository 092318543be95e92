"""Receives a dataset's files: extracted from a ZIP, or copied from a folder of the server."""

import errno
import fcntl
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO

from app.core.imports import ARCHIVE, ORIGINALS, ArchiveLimits, ImportSpec, RenamedFile, ServerFolder, Unpacked
from app.worker.build import sync_tree
from app.worker.failures import InvalidInput
from app.worker.importing.confined_folder import ConfinedFolder
from app.worker.importing.content import CHUNK, content
from app.worker.importing.directory import ZipEntry
from app.worker.importing.disk import check_space
from app.worker.importing.embedded import extract_images
from app.worker.importing.members import Listing, Member, check
from app.worker.importing.reading import read_archive

SOURCE = Path("source")  # below the working directory, which is the dataset's folder
FICLONE = 0x40049409  # linux/fs.h: share a file's blocks, if the file system supports it
NO_SHARING = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.ENOSYS}
MODE = stat.S_IFREG | 0o644


class IncomingFiles:
    """Writes files to `source/` in the working directory; `wait_until_synced` waits until they are on the disk.

    Args:
        on_bytes: called with (done, total) while bytes are written; an exception ends it.
        on_image: called with the path of each complete image below `source/`.
    """

    def __init__(self, spec: ImportSpec, on_bytes: Callable[[int, int], None], on_image: Callable[[str], None]) -> None:
        self.spec, self.on_bytes, self.on_image = spec, on_bytes, on_image
        self.record = Path(spec.unpacked)
        self.unpacked = Unpacked()
        self.total = self.done = 0
        self._syncing: Future[None] | None = None
        self._folders: set[Path] = set()

    def fetch(self) -> None:
        """Fill `source/`, unless an earlier attempt has done so; syncing runs in parallel, see `wait_until_synced`.

        Raises:
            InvalidInput: unsafe, damaged or too large; the caller removes what was written.
        """
        if self.spec.folder is None and not self.spec.unpack:
            return
        if self.record.exists():
            self.unpacked = Unpacked(**json.loads(self.record.read_text(encoding="utf-8")))
            return
        shutil.rmtree(SOURCE, ignore_errors=True)  # of an interrupted attempt
        if self.spec.folder is not None:
            self.copy_folder(self.spec.folder)
        else:
            self.extract_archive()
        pool = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._syncing = pool.submit(sync_tree, Path.cwd())
        pool.shutdown(wait=False)

    def wait_until_synced(self) -> None:
        """Return once all files are synced, and that is recorded.

        Raises:
            OSError: the disk failed or is full.
        """
        if self._syncing is None:
            return
        self._syncing.result()
        draft = self.record.with_name(f".{self.record.name}.tmp")
        draft.write_text(json.dumps(asdict(self.unpacked)), encoding="utf-8")
        os.replace(draft, self.record)

    def extract_archive(self) -> None:
        with open(ARCHIVE, "rb") as file:
            listing = read_archive(file, self.spec.limits, Path())
            self.accept(listing)
            for member in listing.members:
                with open(self.target(member), "xb") as output:
                    for chunk in content(file, member.entry):
                        self.write(output, chunk)
                self.report_image(member)
        self.extract_embedded_images(listing)

    def copy_folder(self, chosen: ServerFolder) -> None:
        """Copies rather than links, so that later changes of the originals do not affect the dataset."""
        with ConfinedFolder(Path(chosen.root), chosen.below.split("/") if chosen.below else []) as folder:
            listing = check(entries(folder, self.spec.limits), self.spec.limits)
            self.accept(listing)
            for member in listing.members:
                with folder.file(os.fsdecode(member.entry.extra)) as file, open(self.target(member), "xb") as output:
                    self.copy(file, output)
                self.report_image(member)
        self.extract_embedded_images(listing)

    def accept(self, listing: Listing) -> None:
        """Check the disk space for a listing, and record what the report needs."""
        self.total = sum(member.entry.size for member in listing.members)
        check_space(Path(), self.total, self.spec.limits.min_free)
        self.unpacked = summary(listing, self.total)
        SOURCE.mkdir(parents=True)
        if listing.originals:  # grouping by source needs the original names
            Path(ORIGINALS).write_text(json.dumps(listing.originals, ensure_ascii=True), encoding="utf-8")

    def extract_embedded_images(self, listing: Listing) -> None:
        """Extract images embedded in annotations, see embedded.py."""
        if images := extract_images(SOURCE, listing.members, self.total, self.spec.limits):
            self.unpacked.notes.append({"code": "images_embedded", "data": {"count": len(images)}})
        for name in images:
            self.on_image(name)

    def target(self, member: Member) -> Path:
        """The path of a member, whose parent folder is created."""
        path = SOURCE.joinpath(*member.parts)
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        return path

    def copy(self, file: IO[bytes], output: IO[bytes]) -> None:
        """Copy a file's contents, by sharing its blocks if possible."""
        try:
            fcntl.ioctl(output.fileno(), FICLONE, file.fileno())
            return
        except OSError as error:
            if error.errno not in NO_SHARING:
                raise
        while chunk := file.read(CHUNK):
            self.write(output, chunk)

    def write(self, output: IO[bytes], chunk: bytes) -> None:
        output.write(chunk)
        self.done += len(chunk)
        self.on_bytes(self.done, self.total)

    def report_image(self, member: Member) -> None:
        if member.kind == "image":
            self.on_image("/".join(member.parts))


def summary(listing: Listing, size: int) -> Unpacked:
    """The report's data on skipped and renamed files, and on the archive itself."""
    renamed: list[RenamedFile] = [{"from": before, "to": after} for before, after in listing.renamed]
    return Unpacked(
        size_bytes=size,
        skipped={
            "count": listing.skipped.total(),
            "kinds": dict(listing.skipped),
            "names": listing.skipped_names,
        },
        renamed={"count": listing.renamed_count, "names": renamed},
        notes=listing.notes,
    )


def entries(folder: ConfinedFolder, limits: ArchiveLimits) -> list[ZipEntry]:
    """The folder as the entries of an archive; links below the folder are followed to files, never out of it.

    Raises:
        InvalidInput: a link leads out of it, or there are too many files.
    """
    zip_entries: list[ZipEntry] = []
    for name, real, size in folder.walk():
        zip_entries.append(ZipEntry(name, 0, zipfile.ZIP_STORED, 0, size, size, 0, MODE, extra=os.fsencode(real)))
        if len(zip_entries) > limits.max_entries:
            raise InvalidInput("folder_entries", limit=str(limits.max_entries))
    return zip_entries
