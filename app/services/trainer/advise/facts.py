"""Facts for the rules: figures of the dataset, and the machine."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.config import settings
from app.models import Dataset
from app.schemas.defaults import FactsOutValues
from app.services.system.gpus import gpus

PICTURES = 2_000  # sampled images, with their objects, spread over the entire dataset
SMALL_SHARE = 0.1  # share of the objects that may be smaller than the "small" size


@dataclass(frozen=True)
class Sizes:
    """Sizes of images and objects in pixels, from the dataset's index.

    Attributes:
        picture: the median longer side of an image.
        small: the side (√area) below which a tenth of the objects is, as a share of the image's longer side.
    """

    picture: int
    small: float | None


@dataclass(frozen=True)
class MachineFacts:
    """The default device for a training: `cpu`, or the first GPU. `memory` in bytes, the GPU's or the machine's."""

    device: str
    name: str
    memory: int
    cores: int

    @property
    def gpu(self) -> bool:
        return self.device != "cpu"


@dataclass(frozen=True)
class Facts:
    """A dataset and a machine."""

    task: str
    train: int
    val: int
    classes: list[str]
    boxes: dict[int, int] = field(default_factory=dict)  # labeled objects by class; empty: not counted
    sizes: Sizes | None = None
    machine: MachineFacts = field(default_factory=lambda: MachineFacts("cpu", "", 8 * 2**30, 2))


def facts_of(dataset: Dataset) -> Facts:
    """The facts of a dataset, and of the machine at present."""
    boxes = {int(number): count for number, count in dataset.report.get("boxes", {}).items()}
    folder = settings().DATASETS_DIR / str(dataset.id)
    return Facts(
        task=dataset.task,
        train=dataset.train_images,
        val=dataset.val_images,
        classes=list(dataset.classes),
        boxes=boxes,
        sizes=sizes_of(folder, getattr(dataset, "revision", None)),
        machine=machine(),
    )


def machine() -> MachineFacts:
    """The first GPU; without one, the CPU and the memory available to this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for gpu in gpus():
        if gpu["memory_total"]:
            return MachineFacts(str(gpu["index"]), gpu["name"] or "GPU", gpu["memory_total"], cores)
    return MachineFacts("cpu", "", psutil.virtual_memory().total, cores)


def sizes_of(folder: Path, revision: int | None) -> Sizes | None:
    """From `revisions/{n}/index.sqlite`; None if it is missing or has no images.

    Boxes in it are fractions of their image; the object's side in pixels is √(w·h) times the root of the image's area.
    """
    path = folder / "revisions" / str(revision or 1) / "index.sqlite"
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)) as index:
            return read_sizes(index)
    except sqlite3.Error:  # of another version, or being written: the rules work without it
        return None


def read_sizes(index: sqlite3.Connection) -> Sizes | None:
    """The median image, and the size that a tenth of the objects is below; from every n-th image if there are many."""
    step = max(1, index.execute("SELECT count(*) FROM image").fetchone()[0] // PICTURES)
    usable = "width > 0 AND height > 0 AND split IN ('train', 'val') AND image.id % ? = 0"
    longer = f"SELECT max(width, height) FROM image WHERE {usable} ORDER BY 1"  # noqa: S608
    pictures = [row[0] for row in index.execute(longer, (step,))]
    if not pictures:
        return None
    areas_query = (
        "SELECT w * h * width * height / (1.0 * max(width, height) * max(width, height)) "  # noqa: S608
        f"FROM image CROSS JOIN object ON image_id = image.id WHERE {usable} AND w > 0 AND h > 0 ORDER BY 1"
    )  # CROSS fixes the order: images first, then their objects by the index
    areas = [row[0] for row in index.execute(areas_query, (step,))]
    small = areas[int(len(areas) * SMALL_SHARE)] ** 0.5 if areas else None
    return Sizes(pictures[len(pictures) // 2], small)


def facts_view(facts: Facts) -> FactsOutValues:
    """The facts for the reader."""
    sizes = facts.sizes
    return {
        "train_images": facts.train,
        "val_images": facts.val,
        "classes": len(facts.classes),
        "objects": sum(facts.boxes.values()) if facts.boxes else None,
        "picture_size": sizes.picture if sizes else None,
        "small_object": round(sizes.small * sizes.picture, 1) if sizes and sizes.small else None,
        "device": facts.machine.device,
        "device_name": facts.machine.name,
        "memory": facts.machine.memory,
        "cores": facts.machine.cores,
    }
