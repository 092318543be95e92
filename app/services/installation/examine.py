"""Judges whether a database and a data folder belong together."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.models import Installation, Training
from app.services.installation.belonging import foreign_folders
from app.services.installation.contents import FOLDERS, Contents, list_contents, stored_ids
from app.services.installation.mark import KINDS, Mark
from app.services.installation.newer_revisions import newer
from app.services.storage import StorageService


@dataclass(frozen=True)
class Verdict:
    """Why writes are not allowed.

    Args:
        code: new_database, older_database, other_database or empty_folder; of a running server file_missing or
            file_replaced. See texts.py.
        unknown: the number of folders of each kind without a row.
    """

    code: str
    unknown: tuple[tuple[str, int], ...] = ()

    @property
    def decidable(self) -> bool:
        """Whether a person can decide it here; otherwise only the right database file helps."""
        return not self.code.startswith("file_")


def row_of(session: Any) -> Any:
    """The database's side: uuid, last_dataset, last_training, last_test; None if it has none yet."""
    return session.execute(select(Installation.__table__)).first()


def examine(session: Any, storage: StorageService, mark: Mark | None) -> tuple[Verdict | None, Contents]:
    """The verdict, if the sides do not match, and the contents. Reads only.

    Args:
        mark: the folder's side.
    """
    row, contents = row_of(session), list_contents(session, storage)
    code = problem(row, mark, contents) or (
        "older_database" if row and mark and folders_ahead(session, storage) else None
    )
    if code is None:
        return None, contents
    counted = foreign_folders(session, storage, contents) if code == "other_database" else contents.unknown
    return Verdict(code, tuple((kind, len(counted[kind])) for kind in KINDS)), contents


def problem(row: Any, mark: Mark | None, contents: Contents) -> str | None:
    """The code of a mismatch between database and data folder; None: they match."""
    if row and mark:
        if not mark.belongs_to(row.uuid):
            return "other_database"
        return "older_database" if rows_missing(row, mark, contents) else None
    if row:  # the folder's side was lost, or it is another folder
        if contents.has_folders:
            return "other_database" if any(contents.unknown.values()) else None
        return "empty_folder" if contents.has_rows else None
    if contents.has_rows:  # from before there were ids: the folder then has none either
        return "older_database" if mark and not mark.pairing else None
    return "new_database" if contents.has_folders else None


def rows_missing(row: Any, mark: Mark, contents: Contents) -> bool:
    """Whether there are folders whose rows were committed and are missing in this database.

    A folder above the highest committed id is a crash's leftover from before the commit; the row of one below the
    database's own highest id was deleted.
    """
    return any(
        getattr(row, f"last_{kind}") < number <= mark.highest[kind]
        for kind in KINDS
        for number in contents.unknown[kind]
    )


def folders_ahead(session: Any, storage: StorageService) -> bool:
    """Whether a folder is newer than its row."""
    return attempts_ahead(session, storage) or any(newer(session, storage))


def attempts_ahead(session: Any, storage: StorageService) -> bool:
    """Whether a training has more attempts than its row: if it started again, it would overwrite them."""
    return any(True for _ in newer_attempts(session, storage))


def newer_attempts(session: Any, storage: StorageService) -> Iterator[tuple[int, int]]:
    """(training, its newest attempt) of the trainings whose folder is ahead."""
    table = Training.__table__.c
    here = set(stored_ids(storage.data_root / FOLDERS["training"]))
    for row in session.execute(select(table.id, table.attempt)).all():
        if row.id in here and (newest := newest_attempt(storage, row.id)) > row.attempt:
            yield row.id, newest


def newest_attempt(storage: StorageService, training_id: int) -> int:
    """The highest number of an attempt's folder; 0: none."""
    try:
        names = os.listdir(storage.training_dir(training_id) / "attempts")
    except OSError:
        return 0
    return max((int(name) for name in names if name.isdecimal()), default=0)
