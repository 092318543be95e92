"""Previews a new split: computed by the import's own function, from data that the import stored with the version."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from flask_babel import gettext as _

from app.core.programs import SplitOptions, SplitResult, SplitSpec
from app.errors import Conflict, Unavailable
from app.events import Finished, Refused
from app.jobs.short import run_program
from app.models import Dataset
from app.schemas.revisions import SplitClassOutValues, SplitPreviewOutValues
from app.services.storage import StorageService
from app.services.storage.damaged import set_file_aside

logger = logging.getLogger("yolo.dataset")

LONGEST_S = 60.0
MATERIAL = "split.json.gz"  # app/worker/assign.py


def split_preview(storage: StorageService, dataset: Dataset, split: SplitOptions | None) -> SplitPreviewOutValues:
    """Images by set, and by class and set, as SplitPreviewOut.

    Args:
        split: shares and seed; None: as in the upload, if it has a split.

    Raises:
        Conflict: the version was built before previews existed, or its data is damaged.
    """
    folder = storage.revision_dir(dataset.id, dataset.revision or 0)
    preview = compute_split(storage, folder, split) if (folder / MATERIAL).is_file() else None
    if preview is None:
        raise Conflict(_("The exact numbers are known once the new version is created."))
    names = dataset.classes
    classes: list[SplitClassOutValues] = [
        {"name": class_label(row["class"], names), "train": row["train"], "val": row["val"], "test": row["test"]}
        for row in preview["classes"]
    ]
    return {"how": preview["how"], "splits": preview["splits"], "classes": classes, "torn": preview["torn"]}


def class_label(kind: int | str, names: Sequence[str]) -> str:
    """A class by its number or its name."""
    return kind if isinstance(kind, str) else names[kind] if kind < len(names) else str(kind)


def compute_split(storage: StorageService, folder: Path, split: SplitOptions | None) -> SplitResult | None:
    """Compute it in a child: 100,000 images take seconds. None: the stored data is damaged, and was set aside."""
    with storage.temporary() as scratch:
        ending = run_program("split_preview", scratch, SplitSpec(str(folder), split).values(), LONGEST_S)
    if isinstance(ending, Finished):
        return cast(SplitResult, ending.result)
    if isinstance(ending, Refused):
        set_file_aside(folder / MATERIAL)
        return None
    logger.warning("a split could not be computed: %s", ending)
    raise Unavailable(_("The split can't be calculated now. Try again."))
