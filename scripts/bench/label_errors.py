"""How many of 50 label errors, planted in a real dataset, are among the first 50 suspects of an evaluation.

The model is trained from scratch on the unchanged training images; the errors are in the validation images: boxes that
are removed or moved, classes that are changed, boxes that are added where there is no object. See core/label_errors.py.
"""

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.config import ROOT
from app.core.outcome_files import LABEL_ERRORS, OUTCOMES
from app.core.outcomes import unpack
from scripts.bench.common import Figures, new_folder, offline_environment

ARCHIVE = ROOT.parent / "shared" / "datasets" / "bccd-yolo.zip"  # 367 images of blood cells
NAMES = ("Platelets", "RBC", "WBC")
SIZE = 224
FAULTS = 50
KINDS = ("removed", "moved", "changed", "added")
HIT_IOU = 0.4

TRAIN = """
import sys
from ultralytics import YOLO
data, size, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
YOLO("yolov8n.yaml").train(
    data=data, imgsz=size, epochs=45, batch=8, workers=1, cache="ram", amp=False, val=False, plots=False,
    optimizer="AdamW", lr0=0.002, lrf=0.05, warmup_epochs=2, close_mosaic=12, mosaic=0.7, scale=0.3, flipud=0.5, seed=1,
    project=folder, name="run", device="cpu")
"""

Row = tuple[int, float, float, float, float]  # class, centre and size, relative to the image
Box = Sequence[float]  # x1, y1, x2, y2


@dataclass(frozen=True)
class Fault:
    """A change to the labels of an image; `boxes` of it, before and after."""

    kind: str
    image: str
    boxes: tuple[Box, ...]


def label_errors(folder: Path, args: argparse.Namespace) -> Figures:
    """Plant, evaluate, count; no figures if the real dataset is not beside this checkout."""
    if not ARCHIVE.is_file():
        return {}
    data = unpacked(folder)
    weights = args.label_weights or train(folder, data)
    planted = plant(data.parent, random.Random(7))
    suspects = first_suspects(evaluate(folder, weights, data, args.label_size))
    hits = {kind: sum(fault.kind == kind and is_hit(fault, suspects) for fault in planted) for kind in KINDS}
    return (
        {"planted": float(len(planted)), f"among the first {FAULTS}": float(sum(hits.values()))}
        | {f"of these {kind}": float(count) for kind, count in hits.items()}
        | {f"planted {kind}": float(sum(fault.kind == kind for fault in planted)) for kind in KINDS}
    )


def unpacked(folder: Path) -> Path:
    """The real dataset's dataset.yaml."""
    data = new_folder(folder, "real")
    shutil.unpack_archive(ARCHIVE, data, "zip")
    splits = "".join(f"{split}: images/{split}\n" for split in ("train", "val", "test"))
    (data / "dataset.yaml").write_text(f"path: {data}\n{splits}names: [{', '.join(NAMES)}]\n")
    return data / "dataset.yaml"


def train(folder: Path, data: Path) -> Path:
    command = [sys.executable, "-c", TRAIN, str(data), str(SIZE), str(folder)]
    subprocess.run(command, env=offline_environment(folder), cwd=folder, check=True, capture_output=True)
    return folder / "run" / "weights" / "best.pt"


def evaluate(folder: Path, weights: Path, data: Path, size: int) -> Path:
    """The output folder of an evaluation's program."""
    directory = new_folder(folder, "job")
    spec = {"program": "evaluate", "weights": str(weights), "data": str(data), "task": "detect", "split": "val"}
    spec |= {"img_size": size, "classes": None, "device": "cpu", "output": str(directory / "output")}
    (directory / "spec.json").write_text(json.dumps(spec | {"batch": 16, "memory_limit": 0}))
    command = [sys.executable, "-m", "app.worker.run", str(directory)]
    subprocess.run(command, env=offline_environment(folder), cwd=ROOT, check=True, capture_output=True)
    return directory / "output"


# Planting the errors.


def plant(root: Path, rng: random.Random) -> list[Fault]:
    """Plant FAULTS errors, as many of each kind, each in a label without another error."""
    labels = {path: read(path) for path in sorted((root / "labels" / "val").glob("*.txt"))}
    every = [row for rows in labels.values() for row in rows]
    positions = [(path, number) for path, rows in labels.items() for number in range(len(rows))]
    rng.shuffle(positions)
    planted: list[Fault] = []
    removed: list[tuple[Path, int]] = []
    for index in range(FAULTS):
        kind, (path, number) = KINDS[index % len(KINDS)], positions[index]
        row = labels[path][number]
        if kind == "removed":
            removed.append((path, number))
            boxes: tuple[Box, ...] = (corners(row),)
        elif kind == "moved":
            labels[path][number] = moved(row, rng)
            boxes = corners(row), corners(labels[path][number])
        elif kind == "changed":
            labels[path][number] = ((row[0] + rng.choice((1, 2))) % len(NAMES), *row[1:])
            boxes = (corners(row),)
        else:
            labels[path].append(added(labels[path], rng.choice(every), rng))
            boxes = (corners(labels[path][-1]),)
        planted.append(Fault(kind, path.stem, boxes))
    for path, rows in labels.items():
        remaining = [row for number, row in enumerate(rows) if (path, number) not in removed]
        path.write_text("".join(" ".join(map(str, row)) + "\n" for row in remaining))
    return planted


def read(path: Path) -> list[Row]:
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(int(row[0]), *map(float, row[1:5])) for row in rows]  # type: ignore[misc]


def moved(row: Row, rng: random.Random) -> Row:
    """Move a box by 35 to 60 % of its sides."""
    kind, x, y, width, height = row
    across, down = (rng.choice((-1, 1)) * rng.uniform(0.35, 0.6) for _ in range(2))
    return kind, inside(x + across * width, width), inside(y + down * height, height), width, height


def inside(centre: float, side: float) -> float:
    return min(max(centre, side / 2), 1 - side / 2)


def added(rows: Sequence[Row], like: Row, rng: random.Random) -> Row:
    """A box with the class and size of another object, at the position with the least overlap among 200 candidates."""
    kind, _x, _y, width, height = like
    centres = [(inside(rng.random(), width), inside(rng.random(), height)) for _ in range(200)]
    tried: list[Row] = [(kind, x, y, width, height) for x, y in centres]
    return min(tried, key=lambda candidate: max((iou(corners(candidate), corners(row)) for row in rows), default=0.0))


def corners(row: Row) -> Box:
    _kind, x, y, width, height = row
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def iou(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    both = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return both / (sum(areas) - both) if both else 0.0


# Reading the suspects.


def first_suspects(output: Path) -> list[tuple[str, list[Box]]]:
    """The image of each of the first suspects, and its boxes relative to the image."""
    with closing(sqlite3.connect(output / LABEL_ERRORS)) as connection:
        connection.execute("ATTACH ? AS seen", [str(output / OUTCOMES)])
        rows = connection.execute(
            "SELECT file, width, height, seen, object, detection FROM suspect "
            "JOIN seen.image AS image ON image.id = image_id ORDER BY suspect.id LIMIT ?",
            [FAULTS],
        ).fetchall()
    return [(Path(file).stem, list(boxes_of(*rest))) for file, *rest in rows]


def boxes_of(width: int, height: int, data: bytes, object_index: int, detection: int) -> Iterator[Box]:
    instances = unpack(data)
    for boxes, number in ((instances.object_corners, object_index), (instances.detection_corners, detection)):
        if number >= 0:
            yield [value / (height if side % 2 else width) for side, value in enumerate(boxes[number])]


def is_hit(fault: Fault, suspects: Sequence[tuple[str, list[Box]]]) -> bool:
    candidates = (box for image, boxes in suspects if image == fault.image for box in boxes)
    return any(iou(box, mine) >= HIT_IOU for box in candidates for mine in fault.boxes)
