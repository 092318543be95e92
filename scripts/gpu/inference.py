"""Trained models: half precision, latency against plain predict, many clients; exports."""

import concurrent.futures
import json
import statistics
import sys
import time
from pathlib import Path

import requests

from scripts.bench.common import offline_environment
from scripts.gpu.api import ENDED, body_of, get, post
from scripts.gpu.kit import Kit
from scripts.gpu.outcome import Skipped, require
from scripts.gpu.training import LEFTOVER
from scripts.local_server import Server

CLIENTS = 16
FORMATS = ("onnx", "engine")

YOLO_PREDICT = """
import json, statistics, sys, time
from ultralytics import YOLO
weights, image, size, count, device = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
options = {"device": device, "imgsz": size, "conf": 0.5, "iou": 0.5, "verbose": False}
if device != "cpu":
    options["quantize"] = 16  # half precision, as the platform's tests
model, times = YOLO(weights), []
for _ in range(count + 3):
    began = time.perf_counter()
    model.predict(image, **options)
    times.append(1000 * (time.perf_counter() - began))
print(json.dumps(statistics.median(times[3:])))
"""


def inference(kit: Kit) -> str:
    """One client: half precision on a GPU, and its median beside plain predict; then many clients at once."""
    server = kit.server()
    training_id = kit.model(server)
    idle = kit.gpu_memory()
    image = kit.folder / "image.jpg"
    image.write_bytes(kit.data.image())
    first = ask(server, training_id, image)
    times = [ask(server, training_id, image) for _ in range(kit.scale.requests // 4)]
    rate, together = many_clients(kit, server, training_id, image)
    weights = kit.folder / "best.pt"
    weights.write_bytes(server.get(f"/api/trainings/{training_id}/download").content)
    ours, yolo, precision = statistics.median(times), yolo_predict(kit, weights, image), logged_precision(kit, server)
    if kit.on_gpu:
        kit.servers.stop()
        kit.wait_for_free_memory(idle + LEFTOVER, "after the server's end")
    return (
        f"{precision} precision; request p50 {ours:.1f} ms, predict alone {yolo:.1f} ms ({ours / yolo:.2f}); "
        f"first {first:.0f} ms; predict endpoint, {CLIENTS} clients {rate:.1f} images/s, up to {together} in a batch"
    )


def logged_precision(kit: Kit, server: Server) -> str:
    """`half` or `single`, from the log of the process that now serves."""
    lines = [line for line in server.read_log().splitlines() if "runs models on" in line]
    expected = "half" if kit.on_gpu else "single"
    require(lines and f"in {expected} precision" in lines[-1], f"not in {expected} precision: {lines[-1:]}")
    return expected


def ask(server: Server, training_id: int, image: Path) -> float:
    """Milliseconds of one test, from the request to its response."""
    began = time.perf_counter()
    with open(image, "rb") as file:
        files, form = {"file": ("image.jpg", file)}, {"training_id": training_id}
        body_of(requests.post(server.url + "/api/tests", data=form, files=files, timeout=120))
    return 1000 * (time.perf_counter() - began)


def many_clients(kit: Kit, server: Server, training_id: int, image: Path) -> tuple[float, int]:
    """Images per second of 16 clients of the predict endpoint together, and the largest batch; every request must be
    answered, and report half precision on the GPU.
    """
    expected = ("half", "cuda:0") if kit.on_gpu else ("single", "cpu")
    url, content, batches = f"{server.url}/api/models/{training_id}/predict", image.read_bytes(), []

    def client(number: int) -> None:
        with requests.Session() as session:
            for _ in range(share_of(kit.scale.requests, number)):
                headers = {"Content-Type": "image/jpeg"}
                answer = body_of(session.post(url, data=content, headers=headers, timeout=120))
                require(
                    (answer["precision"], answer["device"]) == expected, f"{answer['precision']} on {answer['device']}"
                )
                batches.append(answer["batch"])

    began = time.perf_counter()
    pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
    try:
        list(pool.map(client, range(CLIENTS)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # does not wait for a server that hangs
    return kit.scale.requests / (time.perf_counter() - began), max(batches)


def share_of(count: int, number: int) -> int:
    return count * (number + 1) // CLIENTS - count * number // CLIENTS


def yolo_predict(kit: Kit, weights: Path, image: Path) -> float:
    """Milliseconds of `YOLO(...).predict` with the model loaded; the median."""
    device = f"cuda:{kit.index}" if kit.on_gpu else "cpu"
    arguments = [str(weights), str(image), str(kit.scale.size), str(kit.scale.requests // 4), device]
    command = [sys.executable, "-c", YOLO_PREDICT, *arguments]
    env = offline_environment(kit.folder)
    process = kit.run(command, 180, "plain predict", env=env, capture_output=True, text=True)
    require(process.returncode == 0, f"plain predict failed: {process.stderr[-500:]}")
    return float(json.loads(process.stdout.splitlines()[-1]))


def exports(kit: Kit) -> str:
    """ONNX and TensorRT, verified beside the .pt, if their packages are installed."""
    server = kit.server()
    formats = {item["format"]: item for item in get(server, "/api/export-formats")["formats"]}
    missing = [f"{name}: {formats[name]['reason']}" for name in FORMATS if not formats[name]["available"]]
    if len(missing) == len(FORMATS):
        raise Skipped("; ".join(missing))
    training_id = kit.model(server)
    results = [exported(kit, server, training_id, name) for name in FORMATS if formats[name]["available"]]
    return "; ".join(results + missing)


def exported(kit: Kit, server: Server, training_id: int, name: str) -> str:
    """The measured figures of an export."""
    export_id = post(server, f"/api/trainings/{training_id}/exports", json={"format": name})["export_id"]
    export = kit.wait(
        lambda: get(server, f"/api/exports/{export_id}"), lambda body: body["status"] in ENDED, 240, f"{name} is made"
    )
    error = export["error"] or {}
    if error.get("code") == "unproven" and not kit.on_gpu:  # with so few epochs on so little data
        return f"{name}: made, measured, and not offered, as the model detects nothing yet"
    require(export["status"] == "completed", f"{name} is {export['status']}: {error}")
    verification = export["verification"]
    return (
        f"{name}: mAP50-95 {verification['map95']:.4f} beside {verification['reference']['map95']:.4f}, "
        f"p50 {verification['latency_ms']['p50']:.1f} ms on {verification['device']}"
    )
