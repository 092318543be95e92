"""Many viewers of one training: `.venv/bin/python -m scripts.load [--viewers 500] [--mode eventlet]`.

A replayed training tells its batches; viewers in another process note when each message arrives. Prints how many
messages came how often, and the time from a message's commit to its arrival, all on one machine.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from app import create_app
from app.database import upgrade_if_old, writing
from scripts.local_server import MODES, Server, settings_for

PROCESSES = 4  # of viewers

CHILD = """
import pathlib, sys, time
from app.events import Progress, encode, Completed
folder, count, pause = pathlib.Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
with open(folder / "events.jsonl", "a") as events:
    while not (folder / "go").exists():
        (folder / "heartbeat").touch()
        time.sleep(0.1)
    for number in range(1, count + 1):
        events.write(encode(Progress(1, number, count, 1.0, {"sent": time.time()}), number))
        events.flush()
        (folder / "heartbeat").touch()
        time.sleep(pause)
    events.write(encode(Completed("run/weights/best.pt", 1, 1, {}, 1.0), count + 1))
"""


def training_with_child(folder: Path, count: int, pause: float) -> tuple[int, Path, subprocess.Popen[bytes]]:
    """A running training whose child waits for the file `go`."""
    from app.models import Dataset, Training, now

    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    with app.app_context(), writing() as session:
        dataset = Dataset(name="Load", status="valid")
        row = Training(name="Load", dataset=dataset, model_version="n", status="running", attempt=1, start_time=now())
        session.add(row)
        session.flush()
        directory = app.extensions["services"].trainer.attempt_dir(row.id, 1)
        directory.mkdir(parents=True)
        command = [sys.executable, "-c", CHILD, "app.worker.train", str(directory), str(count), str(pause)]
        child = subprocess.Popen(command, start_new_session=True)
        row.pid, row.pid_started = child.pid, psutil.Process(child.pid).create_time()
        return row.id, directory, child


class Viewer:
    """One Socket.IO connection over websocket; `heard` counts numbers, `delays` are in ms."""

    def __init__(self, url: str, training_id: int) -> None:
        import socketio

        self.heard: Counter[int] = Counter()
        self.delays: list[float] = []
        self.over = threading.Event()
        self.client = socketio.Client(reconnection=False)
        self.client.on("training_progress", self.note)
        self.client.on("training_completed", lambda _payload: self.over.set())
        self.client.connect(url, transports=["websocket"], wait_timeout=60)
        self.client.call("join_training", {"training_id": training_id}, timeout=60)

    def note(self, payload: dict[str, Any]) -> None:
        self.heard[payload["seq"]] += 1
        self.delays.append(1000 * (time.time() - payload["progress"]["parts"]["sent"]))


def viewers_of(url: str, training_id: int, count: int, ready: Any, results: Any) -> None:
    """A process with some of the viewers."""
    viewers = [Viewer(url, training_id) for _ in range(count)]
    ready.release()
    for viewer in viewers:
        viewer.over.wait(300)
    results.put([(dict(viewer.heard), viewer.delays) for viewer in viewers])
    for viewer in viewers:
        viewer.client.disconnect()


def watch(url: str, training_id: int, count: int, go: Path) -> list[tuple[dict[int, int], list[float]]]:
    """What each viewer heard; the run begins when all of them have joined."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Semaphore(0), context.Queue()
    sizes = [len(range(first, count, PROCESSES)) for first in range(min(PROCESSES, count))]
    processes = [context.Process(target=viewers_of, args=(url, training_id, size, ready, results)) for size in sizes]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire(timeout=300)
    go.touch()
    found = [item for _ in processes for item in results.get(timeout=400)]
    for process in processes:
        process.join()
    return found


def measure(folder: Path, mode: str, viewers: int, count: int, pause: float) -> dict[str, Any]:
    training_id, directory, child = training_with_child(folder, count, pause)
    server = Server(folder, mode)
    try:
        server.start()
        process = psutil.Process(server.worker_pids()[-1])
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        if viewers:
            found = watch(server.url, training_id, viewers, directory / "go")
        else:
            (directory / "go").touch()
            found = []
        child.wait(300)
        time.sleep(1)
        cpu = sum(process.cpu_times()[:2]) - before
    finally:
        server.end()
        child.kill()
    sets = {tuple(sorted(heard)) for heard, _ in found}
    delays = sorted(delay for _, own in found for delay in own)
    return {
        "mode": mode,
        "viewers": viewers,
        "messages": len(next(iter(sets), ())),
        "all the same": len(sets) <= 1,
        "most often": max((times for heard, _ in found for times in heard.values()), default=0),
        "p50, ms": statistics.median(delays) if delays else None,
        "p99, ms": delays[int(0.99 * len(delays))] if delays else None,
        "server CPU, s": round(cpu, 2),
        "wall, s": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 100, 500])
    parser.add_argument("--mode", choices=MODES, nargs="+", default=list(MODES))
    parser.add_argument("--messages", type=int, default=80)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two messages")
    asked = parser.parse_args()
    for mode in asked.mode:
        for viewers in asked.viewers:
            with tempfile.TemporaryDirectory(prefix="load-") as folder:
                print(json.dumps(measure(Path(folder), mode, viewers, asked.messages, asked.pause)), flush=True)


if __name__ == "__main__":
    main()
