"""What a new split would be, before it is made: by the same function, from what the import kept with the version."""

import json
from typing import Any

from flask_babel import gettext as _

from app.errors import AppError, Conflict
from app.extensions import socketio
from app.jobs.process import Child
from app.models import Dataset
from app.services.storage import StorageService
from app.services.storage.unpack import remove_tree

POLL_S = 0.02
LONGEST_S = 60.0
MATERIAL = "split.json.gz"  # app/worker/assign.py


def split_preview(storage: StorageService, dataset: Dataset, split: dict[str, Any] | None) -> dict[str, Any]:
    """Images by set, and by class and set; as SplitPreviewOut takes them.

    Args:
        split: shares and seed; None: as in the upload, where it has a split.

    Raises:
        Conflict: the version is from before such previews.
    """
    folder = storage.revision_dir(dataset.id, dataset.revision or 0)
    if not (folder / MATERIAL).is_file():
        raise Conflict(_("The exact numbers are known once the new version is created."))
    found = ask_child(storage, {"revision": str(folder), "split": split})
    names = dataset.classes
    for row in found["classes"]:
        kind = row.pop("class")
        row["name"] = kind if isinstance(kind, str) else names[kind] if kind < len(names) else str(kind)
    return found


def ask_child(storage: StorageService, values: dict[str, Any]) -> dict[str, Any]:
    """A child computes it: with 100,000 images it takes seconds, in which others are served."""
    place = storage.new_tmp()
    child = Child.start("split_preview", place, values, {})
    try:
        for _round in range(int(LONGEST_S / POLL_S)):
            if not child.alive():
                break
            socketio.sleep(POLL_S)
        return json.loads((place / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AppError(_("The split can't be calculated. See the server log.")) from error
    finally:
        child.sweep()
        remove_tree(place)
