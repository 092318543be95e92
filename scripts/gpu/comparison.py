"""A training of the platform against `yolo train` with the same arguments on the same data."""

import csv
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from scripts.bench.common import plain_environment
from scripts.gpu.kit import Kit, epochs, require

STEADY = {"optimizer": "AdamW", "seed": 1, "mosaic": 0.0}
MAP_DIFFERENCE = 0.05  # of mAP50-95, both after the same epochs


def comparison(kit: Kit) -> str:
    """Wall time, seconds an epoch, images a second; the final mAP is the same."""
    plain_s, plain_map = plain(kit)
    ours_s, ours_map, epoch_s, train_s = ours(kit)
    rate = (kit.scale.images - kit.scale.validation) / train_s
    figures = f"{ours_s:.1f} s, yolo train {plain_s:.1f} s ({ours_s / plain_s:.2f}); {epoch_s:.2f} s an epoch"
    figures += f", {rate:.0f} images/s in training; mAP50-95 {ours_map:.3f} and {plain_map:.3f}"
    require(abs(ours_map - plain_map) <= MAP_DIFFERENCE, f"not the same mAP: {figures}")
    return figures


def ours(kit: Kit) -> tuple[float, float, float, float]:
    """Seconds from the request to the end, mAP50-95, and the medians of an epoch: whole, and its training alone."""
    with kit.server("comparison") as server:
        dataset_id = kit.upload(server)
        began = time.monotonic()
        done = kit.complete(server, kit.begin(server, dataset_id, "Compared", img_size=kit.scale.size))
        seconds = time.monotonic() - began
        recorded = epochs(server, done["id"])
    whole = statistics.median(epoch["seconds"] for epoch in recorded)
    return seconds, recorded[-1]["map95"], whole, statistics.median(epoch["timing"]["train"] for epoch in recorded)


def plain(kit: Kit) -> tuple[float, float]:
    """Seconds of `yolo train` as a whole process, and its mAP50-95."""
    folder = kit.folder / "yolo-train"
    data = folder / "data"
    shutil.unpack_archive(kit.archive, data, "zip")
    text = (data / "data.yaml").read_text()
    (data / "data.yaml").write_text(f"path: {data}\n{text}")
    given = STEADY | {
        "model": "yolov8n.yaml",
        "data": data / "data.yaml",
        "epochs": kit.scale.epochs,
        "batch": kit.scale.batch,
        "imgsz": kit.scale.size,
        "lr0": 0.003,
        "device": kit.index if kit.on_gpu else "cpu",
        "project": folder,
        "name": "run",
    }
    program = "from ultralytics.cfg import entrypoint; entrypoint()"  # the command, which may not be on the path
    command = [sys.executable, "-c", program, "detect", "train", *(f"{key}={value}" for key, value in given.items())]
    began = time.monotonic()
    with open(folder / "log.txt", "wb") as log:
        done = subprocess.run(command, cwd=folder, env=plain_environment(folder), stdout=log, stderr=log, timeout=300)
    require(done.returncode == 0, f"yolo train failed: see {folder / 'log.txt'}")
    return time.monotonic() - began, final_map(folder / "run" / "results.csv")


def final_map(path: Path) -> float:
    """mAP50-95 of the last epoch in ultralytics' results.csv."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return next(float(value) for name, value in rows[-1].items() if name.strip() == "metrics/mAP50-95(B)")
