"""A training of the platform against `yolo train` with the same arguments on the same data."""

import csv
import shutil
import statistics
import sys
import time
from pathlib import Path

from scripts.bench.common import offline_environment
from scripts.client.yolo_client.answers import Metrics
from scripts.gpu.api import epochs
from scripts.gpu.kit import Kit
from scripts.gpu.outcome import require

MAP_DIFFERENCE = 0.05  # of mAP50-95, both after the same epochs
LOSS_DIFFERENCE = 0.1  # of the loss of the last epoch, relative
# The command `yolo`, which may not be on the PATH. Its check of half precision would download weights.
YOLO = """
from ultralytics.engine import trainer
trainer.check_amp = lambda model: True
from ultralytics.cfg import entrypoint
entrypoint()
"""


def comparison(kit: Kit) -> str:
    """Wall time, seconds per epoch, images per second, both with their defaults; the final mAP is the same."""
    yolo_s, yolo_map, yolo_loss = yolo_train(kit)
    our_s, recorded = ours(kit)
    our_map, our_loss = recorded[-1]["map95"], recorded[-1]["loss"]
    epoch_s = statistics.median(epoch["seconds"] for epoch in recorded)
    rate = kit.data.training / statistics.median(epoch["timing"]["train"] for epoch in recorded)
    figures = f"{our_s:.1f} s, yolo train {yolo_s:.1f} s ({our_s / yolo_s:.2f}); {epoch_s:.2f} s an epoch"
    figures += f", {rate:.0f} images/s in training; mAP50-95 {our_map:.3f} and {yolo_map:.3f}"
    figures += f", loss {our_loss:.2f} and {yolo_loss:.2f}"
    require(abs(our_map - yolo_map) <= MAP_DIFFERENCE, f"not the same mAP: {figures}")
    require(abs(our_loss - yolo_loss) <= LOSS_DIFFERENCE * yolo_loss, f"not the same loss: {figures}")
    return figures


def ours(kit: Kit) -> tuple[float, list[Metrics]]:
    """Seconds from the request to the end, and the recorded metrics of each epoch."""
    server = kit.server()
    dataset_id = kit.upload(server, "Compared")  # not yet read by any training, as with `yolo train`
    scale, defaults = kit.scale, {"learning_rate": None, "params": {}}
    began = time.monotonic()
    training_id = kit.begin(server, dataset_id, "Compared", epochs=scale.compared, img_size=scale.size, **defaults)
    training = kit.complete(server, training_id)
    return time.monotonic() - began, epochs(server, training["id"])


def yolo_train(kit: Kit) -> tuple[float, float, float]:
    """Seconds of `yolo train` as a whole process, its mAP50-95 and its last loss."""
    folder = kit.folder / "yolo-train"
    data = folder / "data"
    shutil.unpack_archive(kit.data.archive, data, "zip")
    text = (data / "data.yaml").read_text()
    (data / "data.yaml").write_text(f"path: {data}\n{text}")
    options = {
        "model": "yolov8n.yaml",
        "data": data / "data.yaml",
        "epochs": kit.scale.compared,
        "batch": kit.scale.batch,
        "imgsz": kit.scale.size,
        "device": kit.index if kit.on_gpu else "cpu",
        "project": folder,
        "name": "run",
    }
    command = [sys.executable, "-c", YOLO, "detect", "train", *(f"{key}={value}" for key, value in options.items())]
    began = time.monotonic()
    with open(folder / "log.txt", "wb") as log:
        process = kit.run(
            command, 300, "yolo train", cwd=folder, env=offline_environment(folder), stdout=log, stderr=log
        )
    require(process.returncode == 0, f"yolo train failed: see {folder / 'log.txt'}")
    return time.monotonic() - began, *last_epoch(folder / "run" / "results.csv")


def last_epoch(path: Path) -> tuple[float, float]:
    """mAP50-95 and loss of the last epoch in ultralytics' results.csv."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    last = {name.strip(): float(value) for name, value in rows[-1].items()}
    return last["metrics/mAP50-95(B)"], sum(value for name, value in last.items() if name.startswith("train/"))
