"""An evaluation against `yolo val` on the same weights, images and size: CPU time of the whole processes."""

import argparse
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.bench.common import Figures, new_folder, offline_environment
from scripts.bench.label_errors import evaluate
from scripts.fitted_model import create_model

SIZE, IMAGES, ROUNDS = 640, 200, 3

YOLO_VAL = """
import sys
from ultralytics import YOLO
YOLO(sys.argv[1]).val(data=sys.argv[2], imgsz=int(sys.argv[3]), batch=16, device="cpu", project=sys.argv[4])
"""


def evaluation(folder: Path, _args: argparse.Namespace) -> Figures:
    """yolov8n at 640 px on 200 images, in alternating runs; medians of the rounds."""
    model = new_folder(folder, "made")
    create_model(model, SIZE)
    data = model / "data" / "dataset.yaml"
    multiply(data.parent, IMAGES)
    yolo, ours = [], []
    for number in range(ROUNDS):
        yolo.append(seconds(lambda number=number: validate(new_folder(folder, f"plain{number}"), model, data)))
        ours.append(
            seconds(lambda number=number: evaluate(new_folder(folder, f"ours{number}"), model / "best.pt", data, SIZE))
        )
    return {
        "yolo val, s of the processor": statistics.median(yolo),
        "evaluation, s of the processor": statistics.median(ours),
        "evaluation / yolo val": statistics.median(mine / theirs for mine, theirs in zip(ours, yolo, strict=True)),
    }


def multiply(data: Path, count: int) -> None:
    """Multiply the validation images to this count, by links to the existing ones."""
    for kind, suffix in (("images", "png"), ("labels", "txt")):
        files = sorted((data / kind / "val").glob(f"*.{suffix}"))
        for number in range(len(files), count):
            os.link(files[number % len(files)], data / kind / "val" / f"{number}.{suffix}")


def validate(folder: Path, model: Path, data: Path) -> None:
    command = [sys.executable, "-c", YOLO_VAL, str(model / "best.pt"), str(data), str(SIZE), str(folder)]
    subprocess.run(command, env=offline_environment(folder), cwd=folder, check=True, capture_output=True)


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of this process's children during the call."""
    began = spent()
    call()
    return spent() - began


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
