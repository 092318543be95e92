"""Tests of a trained model: half precision, latency against plain predict, many clients."""

import concurrent.futures
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import requests

from scripts.bench.common import plain_environment
from scripts.gpu.kit import Kit, Skipped, body_of, get, require
from scripts.local_server import Server

CLIENTS = 16

PLAIN = """
import json, statistics, sys, time
from ultralytics import YOLO
weights, image, size, count, device = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
options = {"device": device, "imgsz": size, "conf": 0.5, "iou": 0.5, "verbose": False}
model, times = YOLO(weights), []
for _ in range(count + 3):
    began = time.perf_counter()
    model.predict(image, **options)
    times.append(1000 * (time.perf_counter() - began))
print(json.dumps(statistics.median(times[3:])))
"""


def inference(kit: Kit) -> str:
    """One client: half precision on a GPU, and its median beside plain predict; then many clients at once."""
    with kit.server("inference") as server:
        dataset_id = kit.upload(server)
        training_id = kit.begin(server, dataset_id, "Model", epochs=1, img_size=kit.scale.size)
        kit.complete(server, training_id)
        image = kit.folder / "image.jpg"
        image.write_bytes(kit.image())
        first = ask(server, training_id, image)
        times = [ask(server, training_id, image) for _ in range(kit.scale.requests // 4)]
        rate = many_clients(server, training_id, image, kit.scale.requests)
        weights = kit.folder / "best.pt"
        weights.write_bytes(server.get(f"/api/trainings/{training_id}/download").content)
        text = server.log()
    precision = "half" if kit.on_gpu else "single"
    require(f"in {precision} precision" in text, f"the log does not say that tests run in {precision} precision")
    plain = plain_predict(kit, weights, image)
    ours = statistics.median(times)
    return (
        f"{precision} precision; request p50 {ours:.1f} ms, predict alone {plain:.1f} ms ({ours / plain:.2f}); "
        f"first {first:.0f} ms; {CLIENTS} clients {rate:.1f} images/s"
    )


def ask(server: Server, training_id: int, image: Path, session: requests.Session | None = None) -> float:
    """Milliseconds of one test, from the request to its answer."""
    began = time.perf_counter()
    with open(image, "rb") as file:
        files, form = {"file": ("image.jpg", file)}, {"training_id": training_id}
        body_of((session or requests).post(server.url + "/api/tests", data=form, files=files, timeout=120))
    return 1000 * (time.perf_counter() - began)


def many_clients(server: Server, training_id: int, image: Path, count: int) -> float:
    """Images a second that 16 clients get together; every request is answered."""

    def client(number: int) -> None:
        with requests.Session() as session:
            for _ in range(share_of(count, number)):
                ask(server, training_id, image, session)

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return count / (time.perf_counter() - began)


def share_of(count: int, number: int) -> int:
    return count * (number + 1) // CLIENTS - count * number // CLIENTS


def plain_predict(kit: Kit, weights: Path, image: Path) -> float:
    """Milliseconds of `YOLO(...).predict`, the model loaded; the median."""
    device = f"cuda:{kit.index}" if kit.on_gpu else "cpu"
    arguments = [str(weights), str(image), str(kit.scale.size), str(kit.scale.requests // 4), device]
    command = [sys.executable, "-c", PLAIN, *arguments]
    done = subprocess.run(command, env=plain_environment(kit.folder), capture_output=True, text=True, timeout=180)
    require(done.returncode == 0, f"plain predict failed: {done.stderr[-500:]}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def exports(kit: Kit) -> str:
    """ONNX on CUDA and TensorRT, verified, where their packages are."""
    with kit.server("exports") as server:
        answer = server.get("/api/export-formats")
        if answer.status_code == 404:
            raise Skipped("this version exports no models yet")
        formats = {item["format"]: item for item in get(server, "/api/export-formats")["formats"]}
    missing = [f"{name}: {formats[name]['reason']}" for name in ("onnx", "engine") if not formats[name]["available"]]
    raise Skipped("; ".join(missing) or "the kit does not drive exports yet")
