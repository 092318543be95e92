"""Trainings and inference against plain ultralytics."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from scripts.bench.common import Figures, new_folder, offline_environment
from scripts.client import Client
from scripts.demo import TRAINING
from scripts.drawing import draw, first_validation_image
from scripts.local_server import Server

PREDICTIONS = 20

YOLO_PREDICT = """
import json, statistics, sys, time
from ultralytics import YOLO
weights, image, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
model, inside, whole = YOLO(weights), [], []
for _ in range(count + 1):
    began = time.perf_counter()
    inside.append(model.predict(image, imgsz=size, conf=0.5, iou=0.5, verbose=False)[0].speed["inference"])
    whole.append(1000 * (time.perf_counter() - began))
print(json.dumps([statistics.median(inside[1:]), statistics.median(whole[1:])]))
"""


def our_training(folder: Path, archive: Path, epochs: int) -> tuple[float, Server, int]:
    """Seconds from the request to the end; the server is left running for the next section."""
    server = Server(new_folder(folder, "server"), "threading").start()
    client = Client(server.url)
    dataset_id = client.upload(archive, "Bench")
    client.wait_until_valid(dataset_id)
    began = time.monotonic()
    training_id = client.train(dataset_id=dataset_id, **(TRAINING | {"epochs": epochs}))
    *_, (event, _) = client.watch(training_id)
    seconds = time.monotonic() - began
    if event != "training_completed":
        raise RuntimeError(f"the training ended with {event}")
    return seconds, server, training_id


def yolo_training(folder: Path, archive: Path, epochs: int) -> float:
    """Seconds of `yolo train` with the same arguments, as a whole process."""
    data = folder / "plain"
    shutil.unpack_archive(archive, data, "zip")
    text = (data / "data.yaml").read_text()
    (data / "data.yaml").write_text(f"path: {data}\n{text}")
    options = {
        "model": "yolov8n.yaml",
        "data": data / "data.yaml",
        "epochs": epochs,
        "batch": TRAINING["batch_size"],
        "imgsz": TRAINING["img_size"],
        "lr0": TRAINING["learning_rate"],
        "project": folder / "plain-run",
    } | TRAINING["params"]
    program = str(Path(sys.executable).parent / "yolo")
    command = [program, "detect", "train", *(f"{name}={value}" for name, value in options.items())]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, env=offline_environment(folder), check=True, capture_output=True)
    return time.monotonic() - began


def training(folder: Path, args: argparse.Namespace) -> Figures:
    """Our training, events and checkpoints included, against `yolo train`; both from start to end."""
    archive = draw(folder / "drawn")
    yolo_s = yolo_training(folder, archive, args.epochs)
    ours, server, _ = our_training(folder, archive, args.epochs)
    server.end()
    return {"epochs": float(args.epochs), "yolo train, s": yolo_s, "ours, s": ours, "ratio": ours / yolo_s}


def inference(folder: Path, args: argparse.Namespace) -> Figures:
    """A test over HTTP against plain predict: the model alone and the whole request; medians with a warm model."""
    archive = draw(folder / "drawn")
    _, server, training_id = our_training(folder, archive, 1)
    try:
        client = Client(server.url)
        weights = client.download(f"/api/trainings/{training_id}/download", folder / "best.pt")
        image = folder / "image.jpg"
        with zipfile.ZipFile(archive) as file:
            image.write_bytes(file.read(first_validation_image(file)))
        inside, totals, round_trip = [], [], []
        for _ in range(PREDICTIONS + 1):
            began = time.perf_counter()
            answer = client.test(training_id, image)
            round_trip.append(1000 * (time.perf_counter() - began))
            inside.append(answer["inference_time"])
            totals.append(answer["total_time"])
    finally:
        server.end()
    arguments = [str(weights), str(image), str(TRAINING["img_size"]), str(PREDICTIONS)]
    command = [sys.executable, "-c", YOLO_PREDICT, *arguments]
    process = subprocess.run(command, env=offline_environment(folder), check=True, capture_output=True, text=True)
    yolo_inside, yolo_total = json.loads(process.stdout.splitlines()[-1])
    ours, total, trip = (statistics.median(values[1:]) for values in (inside, totals, round_trip))
    return {
        "first test, model loaded, ms": round_trip[0],
        "inference_time, ms": ours,
        "total_time, ms": total,
        "request, ms": trip,
        "plain predict: model alone, ms": yolo_inside,
        "plain predict: whole, ms": yolo_total,
        "total_time / inference_time": total / ours,
        "request / plain predict": trip / yolo_total,
    }
