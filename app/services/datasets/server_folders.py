"""Lists folders of the server below IMPORT_ROOT, for importing them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flask_babel import gettext as _

from app.config import settings
from app.core.imports import ServerFolder
from app.core.natural import natural_key
from app.core.openat import descend, open_folder, opened
from app.errors import NotFound, Unprocessable
from app.schemas.datasets import FolderOutValues, FoldersOutValues
from app.services.storage import StorageService
from app.services.storage.unpack import Pacer

MOST_FOLDERS = 1000  # listed per folder


class ServerFolders:
    """Lists folders below IMPORT_ROOT.

    Args:
        storage: counts images.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage

    def located(self, path: str) -> ServerFolder:
        """A folder in the form that the import's child gets.

        Raises:
            NotFound: as `folder`.
            Unprocessable: as `folder`.
        """
        folder, root = self.folder(path), import_root()
        return ServerFolder(str(root), below(folder, root))

    def folder(self, path: str) -> Path:
        """A folder below IMPORT_ROOT.

        Raises:
            NotFound: IMPORT_ROOT is not set, or there is no such folder.
            Unprocessable: the path leads out of IMPORT_ROOT.
        """
        root = import_root()
        if "\0" in path:
            raise Unprocessable(_("This path is outside IMPORT_ROOT."))
        try:
            folder = (root / path.lstrip("/")).resolve()
            there = folder.is_dir()
        except (OSError, RuntimeError) as error:  # too long, or a cycle of links
            raise NotFound(_("This folder doesn't exist in IMPORT_ROOT.")) from error
        if not folder.is_relative_to(root):
            raise Unprocessable(_("This path is outside IMPORT_ROOT."))
        if not there:
            raise NotFound(_("This folder doesn't exist in IMPORT_ROOT."))
        return folder

    def folders(self, path: str) -> FoldersOutValues:
        """The contents of a folder below IMPORT_ROOT, as schemas.FoldersOut.

        Raises:
            NotFound: as `folder`.
            Unprocessable: as `folder`.
        """
        here = self.folder(path)
        root = import_root()
        way, pacer = below(here, root), Pacer()
        try:
            handle = open_folder(here)
        except OSError as error:  # unreadable, or replaced by a link since it was checked
            raise NotFound(_("This folder doesn't exist in IMPORT_ROOT.")) from error
        with opened(handle):
            names = sorted(folders_in(handle), key=natural_key)
            described = [self.described(handle, name, way, pacer) for name in names[:MOST_FOLDERS]]
            images = self.storage.revisions.images_in(handle, pacer)
        return {
            "path": way,
            "parent": None if here == root else below(here.parent, root),
            "images": images,
            "folders": described,
            "truncated": len(names) > MOST_FOLDERS,
        }

    def described(self, parent: int, name: str, way: str, pacer: Pacer) -> FolderOutValues:
        """A folder inside an open one; without images if it cannot be read."""
        images = 0
        with suppress(OSError), opened(descend(os.dup(parent), [name])) as handle:
            images = self.storage.revisions.images_in(handle, pacer)
        return {"name": name, "path": f"{way}/{name}" if way else name, "images": images}


def import_root() -> Path:
    """IMPORT_ROOT with links resolved.

    Raises:
        NotFound: it is not set.
    """
    root = settings().IMPORT_ROOT
    if root is None:
        raise NotFound(_("Importing from server folders isn't configured (IMPORT_ROOT)."))
    return root.resolve()


def below(path: Path, root: Path) -> str:
    """A path below a root; "" is the root."""
    return "" if path == root else path.relative_to(root).as_posix()


def folders_in(handle: int) -> Iterator[str]:
    """The importable subfolders: links to folders are not followed."""
    with os.scandir(handle) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield entry.name
