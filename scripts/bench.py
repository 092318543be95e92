"""Measures the platform against the plain tools, in one run on one machine: `make bench`.

    make bench ARGS="--only start,upload --images 2000"

Each section gives figures and ratios; the table is printed and written to bench-output/results.json. Times depend on
the machine, ratios much less. Sections: start, upload, resumable, training, inference.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import psutil
import requests
from rich.console import Console
from rich.table import Table

from app.config import ROOT
from scripts.bench_resumable import resumable
from scripts.client import Client
from scripts.demo import TRAINING
from scripts.local_server import MODES, Server

OUTPUT = ROOT / "bench-output"
FILLER_MB = 150  # makes the upload long enough to see who waits for it
PREDICTIONS = 20

Figures = dict[str, float]

PLAIN_PREDICT = """
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


def draw(folder: Path, **spec: int) -> Path:
    """A drawn dataset as a ZIP."""
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"output": str(folder / "sample.zip")} | spec))
    subprocess.run([sys.executable, "-m", "app.worker.sample", str(folder)], cwd=ROOT, check=True)
    return folder / "sample.zip"


def new_folder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    return path


def bare_start() -> float:
    """Seconds that an interpreter takes to import the three libraries that no server of this kind is without."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import gunicorn.app.wsgiapp, flask, sqlalchemy.orm"], check=True)
    return time.monotonic() - began


def start(folder: Path, _asked: argparse.Namespace) -> Figures:
    """Seconds from `python run.py` to the first answer on an existing database (median of 5), and resident memory."""
    figures = {"bare imports, s": statistics.median(bare_start() for _ in range(5))}
    for mode in MODES:
        seconds = []
        with Server(new_folder(folder, mode), mode) as server:
            for _ in range(5):
                server.stop()
                seconds.append(server.start().first_answer_s)
            resident = psutil.Process(server.worker_pids()[-1]).memory_info().rss
        figures[f"{mode}: first answer, s"] = statistics.median(seconds)
        figures[f"{mode}: ratio to bare imports"] = figures[f"{mode}: first answer, s"] / figures["bare imports, s"]
        figures[f"{mode}: resident, MB"] = resident / 2**20
    return figures


def ask_again_and_again(url: str, over: "Event", longest: "Synchronized[float]") -> None:
    """Put the longest time that one answer took, in ms, into `longest`."""
    with requests.Session() as session:
        while not over.wait(0.005):
            began = time.perf_counter()
            session.get(url, timeout=60)
            longest.value = max(longest.value, 1000 * (time.perf_counter() - began))


class Pulse:
    """Asks /health all the time, in a process of its own: the one that uploads is busy, and would add its own waits."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._over, self._longest = context.Event(), context.Value("d", 0.0)
        self._process = context.Process(target=ask_again_and_again, args=(url + "/health", self._over, self._longest))

    @property
    def longest_ms(self) -> float:
        return self._longest.value

    def __enter__(self) -> "Pulse":
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.join()


def seconds_to_copy(archive: Path, folder: Path) -> float:
    """What the plain tools need: extract, then copy once."""
    began = time.monotonic()
    shutil.unpack_archive(archive, folder / "unpacked", "zip")
    shutil.copytree(folder / "unpacked", folder / "copied")
    return time.monotonic() - began


def upload(folder: Path, asked: argparse.Namespace) -> Figures:
    """From the first byte of an upload to "valid", against unzip and cp; who waits meanwhile."""
    train = asked.images * 4 // 5
    archive = draw(folder / "drawn", train=train, val=asked.images - train, size=640)
    large = Path(shutil.copy(archive, folder / "large.zip"))
    with zipfile.ZipFile(large, "a") as file:
        file.writestr("filler.bin", os.urandom(FILLER_MB * 2**20))
    plain = seconds_to_copy(archive, folder)
    figures = {"images": float(asked.images), "ZIP, MB": archive.stat().st_size / 2**20, "unzip and cp, s": plain}
    for mode in MODES:
        with Server(new_folder(folder, mode), mode) as server:
            client = Client(server.url)
            began = time.monotonic()
            client.wait_until_valid(client.upload(archive, "Bench"))
            figures[f"{mode}: upload to valid, s"] = time.monotonic() - began
            figures[f"{mode}: ratio to unzip and cp"] = (time.monotonic() - began) / plain
            with Pulse(server.url) as pulse:
                client.upload(large, "Large")
            figures[f"{mode}: longest wait of others, ms"] = pulse.longest_ms
    return figures


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


def plain_training(folder: Path, archive: Path, epochs: int) -> float:
    """Seconds of `yolo train` with the same arguments, as a whole process."""
    data = folder / "plain"
    shutil.unpack_archive(archive, data, "zip")
    text = (data / "data.yaml").read_text()
    (data / "data.yaml").write_text(f"path: {data}\n{text}")
    given = {
        "model": "yolov8n.yaml",
        "data": data / "data.yaml",
        "epochs": epochs,
        "batch": TRAINING["batch_size"],
        "imgsz": TRAINING["img_size"],
        "lr0": TRAINING["learning_rate"],
        "project": folder / "plain-run",
    } | TRAINING["params"]
    program = str(Path(sys.executable).parent / "yolo")
    command = [program, "detect", "train", *(f"{name}={value}" for name, value in given.items())]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, env=plain_environment(folder), check=True, capture_output=True)
    return time.monotonic() - began


def plain_environment(folder: Path) -> dict[str, str]:
    """As our children have it: nothing is fetched or installed."""
    return os.environ | {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(folder)}


def training(folder: Path, asked: argparse.Namespace) -> Figures:
    """Our training, events and checkpoints included, against `yolo train`; both from start to end."""
    archive = draw(folder / "drawn")
    plain = plain_training(folder, archive, asked.epochs)
    ours, server, _ = our_training(folder, archive, asked.epochs)
    server.end()
    return {"epochs": float(asked.epochs), "yolo train, s": plain, "ours, s": ours, "ratio": ours / plain}


def inference(folder: Path, asked: argparse.Namespace) -> Figures:
    """A test through HTTP against plain predict: the model alone and the whole; medians with a warm model."""
    archive = draw(folder / "drawn")
    _, server, training_id = our_training(folder, archive, 1)
    try:
        client = Client(server.url)
        weights = client.download(f"/api/trainings/{training_id}/download", folder / "best.pt")
        image = folder / "image.jpg"
        with zipfile.ZipFile(archive) as file:
            image.write_bytes(file.read("images/val/0000.jpg"))
        inside, whole, round_trip = [], [], []
        for _ in range(PREDICTIONS + 1):
            began = time.perf_counter()
            answer = client.test(training_id, image)
            round_trip.append(1000 * (time.perf_counter() - began))
            inside.append(answer["inference_time"])
            whole.append(answer["total_time"])
    finally:
        server.end()
    arguments = [str(weights), str(image), str(TRAINING["img_size"]), str(PREDICTIONS)]
    command = [sys.executable, "-c", PLAIN_PREDICT, *arguments]
    done = subprocess.run(command, env=plain_environment(folder), check=True, capture_output=True, text=True)
    plain_inside, plain_whole = json.loads(done.stdout.splitlines()[-1])
    ours, total, trip = (statistics.median(values[1:]) for values in (inside, whole, round_trip))
    return {
        "first test, model loaded, ms": round_trip[0],
        "inference_time, ms": ours,
        "total_time, ms": total,
        "request, ms": trip,
        "plain predict: model alone, ms": plain_inside,
        "plain predict: whole, ms": plain_whole,
        "total_time / inference_time": total / ours,
        "request / plain predict": trip / plain_whole,
    }


SECTIONS: dict[str, Callable[[Path, argparse.Namespace], Figures]] = {
    "start": start,
    "upload": upload,
    "resumable": resumable,
    "training": training,
    "inference": inference,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--images", type=int, default=1000, help="of the uploaded dataset")
    parser.add_argument("--epochs", type=int, default=5, help="of the trainings that are compared")
    asked = parser.parse_args()
    unknown = set(asked.only.split(",")) - set(SECTIONS)
    if unknown:
        parser.error(f"--only: no section {', '.join(sorted(unknown))}")
    return asked


def main() -> None:
    asked = arguments()
    console, results = Console(highlight=False), {}
    for name in asked.only.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, console.status(name):
            results[name] = SECTIONS[name](Path(folder), asked)
        table = Table(name, "", title_justify="left")
        for figure, value in results[name].items():
            table.add_row(figure, f"{value:.2f}")
        console.print(table)
    OUTPUT.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0], "time": time.strftime("%Y-%m-%dT%H:%M:%S")}
    (OUTPUT / "results.json").write_text(json.dumps({"machine": machine} | results, indent=1))
    console.print(f"Written to {os.path.relpath(OUTPUT / 'results.json')}")


if __name__ == "__main__":
    main()
