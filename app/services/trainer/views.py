"""A training's previews by epoch, its evaluation and ultralytics' plots. Reads files only.

Names in addresses are checked against the names of such files; other files of the folder cannot be requested.
"""

import json
import logging
import re
from pathlib import Path
from typing import cast

from flask_babel import gettext as _

from app.core.files import atomic_write_text
from app.core.natural import natural_key
from app.core.previews import PreviewIndex
from app.errors import NotFound
from app.models import TrainingStatus
from app.schemas.training_views import EvaluationOutValues, PreviewImageOutValues, PreviewsOutValues, RunFilesOutValues
from app.services.storage.damaged import damaged_in, remove_copies, set_file_aside
from app.services.trainer.documents import check_evaluation, check_preview, check_previews, document
from app.services.trainer.store import TrainingStore
from app.services.trainer.thresholds import thresholds
from app.services.trainer.verdict.facts import facts_of
from app.services.trainer.verdict.judge import judge
from app.services.trainer.verdict.parts import VerdictView
from app.services.trainer.verdict.texts import with_messages

logger = logging.getLogger("yolo.trainer")

INDEX, COPY = "index.json", "index-copy.json"  # of previews, written by app/worker/previews.py
CURVES = r"(?:Box|Mask|Pose)?(?:P|R|F1|PR)_curve\.png"
KINDS = {  # in display order
    "results": r"results\.png",
    "matrix": r"confusion_matrix(?:_normalized)?\.png",
    "curve": CURVES,
    "labels": r"labels(?:_correlogram)?\.jpg",
    "train_batch": r"train_batch\d{1,7}\.jpg",
    "val_labels": r"val_batch\d{1,7}_labels\.jpg",
    "val_pred": r"val_batch\d{1,7}_pred\.jpg",
}
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8")  # their signatures


class TrainingViews:
    """Finds the files to display."""

    def __init__(self, store: TrainingStore) -> None:
        self.store = store

    def previews(self, training_id: int) -> PreviewsOutValues:
        """As PreviewsOut; empty before the first epoch, and for trainings without previews.

        Includes the detections after the latest epoch, so that an open page sends one request per epoch, not two.
        """
        folder = self.store.existing_folder(training_id) / "previews"
        index, epochs = previews_index(folder), epochs_in(folder)
        newest = document(folder / f"epoch-{epochs[-1]}.json", check_preview) if epochs else None
        if index is None:
            return {"images": [], "epochs": epochs, "newest": newest}
        url = f"/api/trainings/{training_id}/previews/images"
        images: list[PreviewImageOutValues] = [
            {**image, "url": f"{url}/{number}"} for number, image in enumerate(index["images"])
        ]
        return {"task": index["task"], "names": index["names"], "images": images, "epochs": epochs, "newest": newest}

    def preview(self, training_id: int, epoch: int) -> Path:
        """The file of the detections after an epoch.

        Raises:
            NotFound: there is no such training, or the epoch was not retained.
        """
        path = self.store.existing_folder(training_id) / "previews" / f"epoch-{epoch}.json"
        document(path, check_preview)  # sets it aside if it is damaged
        return require_file(
            path, _("The predictions of this epoch aren't stored. Request the list of available epochs.")
        )

    def preview_image(self, training_id: int, number: int) -> Path:
        folder = self.store.existing_folder(training_id) / "previews"
        return require_file(folder / f"image-{number}.jpg", _("This image doesn't exist."))

    def verdict(self, training_id: int) -> VerdictView:
        """The verdict of an ended training, as VerdictOut.

        Raises:
            NotFound: there is no such training, or it has not ended.
        """
        row = self.store.row(training_id)
        if not TrainingStatus(row.status).ended:
            raise NotFound(_("There is no verdict yet: it is given when the run has ended."))
        return with_messages(judge(facts_of(row, self.store.folder(training_id))))

    def evaluation(self, training_id: int) -> EvaluationOutValues:
        """The run's evaluation, as EvaluationOut.

        Raises:
            NotFound: there is no such training, or its final validation has not run yet.
        """
        path = self.store.existing_folder(training_id) / "evaluation" / "evaluation.json"
        if (evaluation := document(path, check_evaluation)) is None:
            raise NotFound(_("No evaluation yet: it is created when a run ends."))
        url = f"/api/trainings/{training_id}/evaluation/images"
        view = cast(EvaluationOutValues, dict(evaluation))
        view["thresholds"] = thresholds(evaluation.get("best"), evaluation.get("curves"))
        view["pictures"] = [{**picture, "url": f"{url}/{picture['number']}"} for picture in evaluation["pictures"]]
        return view

    def evaluation_image(self, training_id: int, number: int) -> Path:
        folder = self.store.existing_folder(training_id) / "evaluation"
        return require_file(folder / f"image-{number}.jpg", _("This image doesn't exist."))

    def run_files(self, training_id: int) -> RunFilesOutValues:
        """ultralytics' plots, as RunFilesOut."""
        folder = self.store.existing_folder(training_id)
        plots = folder / "run"
        pictures = [path for path in plots.glob("*.*g") if path.is_file() and not path.is_symlink()]
        by_kind = [(kind_of(path.name), path) for path in pictures]
        order = list(KINDS)
        listed = sorted(((order.index(kind), natural_key(path.name), kind, path) for kind, path in by_kind if kind))
        return {
            "evaluation": (folder / "evaluation" / "evaluation.json").is_file(),
            "damaged": damaged_in(folder / name for name in ("", "run", "previews", "evaluation")),
            "files": [
                {
                    "name": path.name,
                    "kind": kind,
                    "size_bytes": path.stat().st_size,
                    "url": f"/api/trainings/{training_id}/files/{path.name}",
                }
                for _order, _name, kind, path in listed
            ],
        }

    def run_file(self, training_id: int, name: str) -> Path:
        """The path of a plot.

        Raises:
            NotFound: there is no such training or file, or the file is not a plot.
        """
        folder = self.store.existing_folder(training_id)
        if kind_of(name) is None:
            raise NotFound(_("This image doesn't exist."))
        return require_file(folder / "run" / name, _("This image doesn't exist."))


def previews_index(folder: Path) -> PreviewIndex | None:
    """`index.json`; restored from its copy if it is damaged or missing."""
    path = folder / INDEX
    index = document(path, check_previews)
    if index is not None or (copy := document(folder / COPY, check_previews)) is None:
        return index
    rewrite_index(path, copy)
    return copy


def copy_index(folder: Path) -> bool:
    """Copy `index.json` if it has no copy, as in a run of an older version; returns whether there is one now."""
    if (folder / COPY).exists() or (index := document(folder / INDEX, check_previews)) is None:
        return False
    return rewrite_index(folder / COPY, index)


def rewrite_index(path: Path, index: PreviewIndex) -> bool:
    """Write it again; False: that failed."""
    try:
        atomic_write_text(path, json.dumps(index, ensure_ascii=False, separators=(",", ":")))
        remove_copies(path)
        logger.info("%s was restored from its copy", path)
    except OSError as error:  # the next request tries again
        logger.warning("%s can't be restored from its copy: %s", path, error)
        return False
    return True


def kind_of(name: str) -> str | None:
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, name, re.ASCII)), None)


def require_file(path: Path, otherwise: str) -> Path:
    """The path of a file that a browser can display.

    Raises:
        NotFound: there is no such file, or no browser can display it.
    """
    if not path.is_file() or path.is_symlink():
        raise NotFound(otherwise)
    if path.suffix in {".jpg", ".png"} and not first_bytes(path, 4).startswith(PICTURES):
        set_file_aside(path, "no picture")
        raise NotFound(otherwise)
    return path


def epochs_in(folder: Path) -> list[int]:
    matches = (re.fullmatch(r"epoch-(\d+)\.json", path.name) for path in folder.glob("epoch-*.json"))
    return sorted(int(match[1]) for match in matches if match)


def first_bytes(path: Path, count: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(count)
