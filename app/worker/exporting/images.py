"""Creates a small dataset from images of a split: links to the files, in a writable folder.

So ultralytics' caches beside the labels never mix with those of a training.
"""

import os
from pathlib import Path

import yaml

from app.core.exports import evenly
from app.core.json_object import JsonObject
from app.worker.failures import DataError

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".heic", ".mpo", ".dng"}
DATASET_KEYS = ("names", "nc", "kpt_shape", "flip_idx", "kpt_names", "channels")


def sample_split(data: Path, split: str, most: int, folder: Path) -> tuple[Path, int]:
    """Create a dataset.yaml in `folder` with at most `most` images of `split`; its path, and the number of images.

    Raises:
        DataError: the split has no images.
    """
    described: JsonObject = yaml.safe_load(data.read_text(encoding="utf-8"))
    source = Path(str(described.get("path") or data.parent)) / str(described.get(split) or "")
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in IMAGES) if described.get(split) else []
    if not files:
        raise DataError(f"the dataset has no images for {split}")
    chosen = [files[index] for index in evenly(len(files), most)]
    for path in chosen:
        link(path, folder / "images" / split / path.relative_to(source))
        label = label_of(path)
        if label is not None and label.exists():
            link(label, (folder / "labels" / split / path.relative_to(source)).with_suffix(".txt"))
    train = folder / "images" / "train"
    if not train.exists():  # without one, ultralytics would split the images of a classification
        train.symlink_to(split, target_is_directory=True)
    values: dict[str, object] = {"path": str(folder), "train": f"images/{split}", "val": f"images/{split}"}
    values |= {name: described[name] for name in DATASET_KEYS if name in described}
    target = folder / "dataset.yaml"
    target.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return target, len(chosen)


def images_of(data: Path) -> list[Path]:
    """The images of a `sample_split`, in order."""
    return sorted(path for path in (data.parent / "images" / "val").rglob("*") if path.suffix.lower() in IMAGES)


def label_of(image: Path) -> Path | None:
    """Where ultralytics expects the label: in the path, the last folder `images` is replaced; None: not there."""
    head, separator, tail = str(image).rpartition(f"{os.sep}images{os.sep}")
    return Path(f"{head}{os.sep}labels{os.sep}{tail}").with_suffix(".txt") if separator else None


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink():
        target.symlink_to(source)
