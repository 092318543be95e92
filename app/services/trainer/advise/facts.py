"""Facts for the rules: the dataset in numbers, and the machine."""

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

PICTURES = 2_000  # that are looked at, with their objects, spread over the whole dataset
SMALL_SHARE = 0.1  # a tenth of the objects may be smaller than the size that rules speak of


@dataclass(frozen=True)
class Sizes:
    """Pictures and objects in pixels, from the dataset's index.

    Attributes:
        picture: the median longer side of a picture.
        small: the side (√area) that a tenth of the objects is under, as a share of the picture's longer side.
    """

    picture: int
    small: float | None


@dataclass(frozen=True)
class MachineFacts:
    """The device that a training would get: `cpu`, or the first GPU. `memory` in bytes, its own or the machine's."""

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
    boxes: dict[int, int] = field(default_factory=dict)  # labelled objects by class; empty: not counted
    sizes: Sizes | None = None
    machine: MachineFacts = field(default_factory=lambda: MachineFacts("cpu", "", 8 * 2**30, 2))


def facts_of(dataset: Dataset) -> Facts:
    """The facts of a dataset, and of the machine now."""
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
    """The first GPU; without one, the processor and what memory this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for gpu in gpus():
        if gpu["memory_total"]:
            return MachineFacts(str(gpu["index"]), gpu["name"] or "GPU", gpu["memory_total"], cores)
    return MachineFacts("cpu", "", psutil.virtual_memory().total, cores)


def sizes_of(folder: Path, revision: int | None) -> Sizes | None:
    """From `revisions/{n}/index.sqlite`; None where there is none, or no picture in it.

    Boxes there are shares of their picture; √(w·h) of the share times both sides is the object's side in pixels.
    """
    path = folder / "revisions" / str(revision or 1) / "index.sqlite"
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)) as index:
            return read_sizes(index)
    except sqlite3.Error:  # of another version, or being written: the rules do without
        return None


def read_sizes(index: sqlite3.Connection) -> Sizes | None:
    """The median picture, and the object that a tenth is smaller than; of every n-th picture where there are many."""
    step = max(1, index.execute("SELECT count(*) FROM image").fetchone()[0] // PICTURES)
    usable = "width > 0 AND height > 0 AND split IN ('train', 'val') AND image.id % ? = 0"
    longer = f"SELECT max(width, height) FROM image WHERE {usable} ORDER BY 1"  # noqa: S608
    pictures = [row[0] for row in index.execute(longer, (step,))]
    if not pictures:
        return None
    areas_query = (
        "SELECT w * h * width * height / (1.0 * max(width, height) * max(width, height)) "  # noqa: S608
        f"FROM image CROSS JOIN object ON image_id = image.id WHERE {usable} AND w > 0 AND h > 0 ORDER BY 1"
    )  # CROSS: pictures first, then their objects by the index
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
