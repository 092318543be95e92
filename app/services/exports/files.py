"""The files of exports: `models/{training_id}/exports/{id}` below the data root."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.models import ModelExport
from app.services.storage.hashed import hash_file

if TYPE_CHECKING:
    from app.services.storage import StorageService


class ExportFiles:
    """Finds the files of exports, and checks that they are the verified ones."""

    def __init__(self, storage: "StorageService") -> None:
        self.storage = storage

    def folder(self, row: ModelExport) -> Path:
        """The folder of an export."""
        return self.storage.get_training_dir(row.training_id) / "exports" / str(row.id)

    def of(self, row: ModelExport) -> Iterator[Path]:
        """The files of an export."""
        return (path for path in sorted(self.folder(row).rglob("*")) if path.is_file())

    def are_intact(self, row: ModelExport) -> bool:
        """Whether all files exist as they were verified."""
        folder, expected = self.folder(row), row.details.get("sha256")
        try:
            if sum(path.stat().st_size for path in self.of(row)) != row.size_bytes:
                return False
            return expected is None or expected == {
                path.relative_to(folder).as_posix(): hash_file(path) for path in self.of(row)
            }
        except OSError:  # deleted meanwhile, or unreadable
            return False

    def remove(self, folders: Sequence[Path]) -> None:
        """Remove folders without a row."""
        self.storage.remove_all([moved for folder in folders if (moved := self.storage.move_to_tmp(folder))])
