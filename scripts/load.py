"""Many viewers of one training: `.venv/bin/python -m scripts.load [--viewers 500] [--mode eventlet]`.

A replayed training sends its batches; viewers in another process record when each message arrives. Prints how many
messages arrived how often, the time from a message to its arrival, all on one machine, and the commits that they cost.
"""

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from app import create_app
from app.database import upgrade_if_old, writing
from scripts.local_server import MODES, Server, settings_for

PROCESSES = 4  # of viewers

CHILD = """
import pathlib, sys, time
from app.events import Progress, encode, Completed
folder, count, pause = pathlib.Path(sys.argv[4]), int(sys.argv[1]), float(sys.argv[2])
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


def training_with_child(
    folder: Path, count: int, pause: float, **settings: str
) -> tuple[int, Path, subprocess.Popen[bytes]]:
    """A running training whose child waits for the file `go`."""
    from app.models import Dataset, Training, now

    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading", **settings))
    upgrade_if_old(app)
    with app.app_context(), writing() as session:
        dataset = Dataset(name="Load", status="valid")
        row = Training(name="Load", dataset=dataset, model_version="n", status="running", attempt=1, start_time=now())
        session.add(row)
        session.flush()
        directory = app.extensions["services"].trainer.store.attempt_dir(row.id, 1)
        directory.mkdir(parents=True)
        command = [sys.executable, "-c", CHILD, str(count), str(pause), "app.worker.run", str(directory)]
        child = subprocess.Popen(command, start_new_session=True)
        return row.id, directory, child


class ViewerFailed(Exception):
    """A process of viewers has ended early; the message is its output."""


@contextmanager
def viewer_processes(url: str, training_id: int, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes with `count` viewers in all."""
    sizes = [len(range(first, count, PROCESSES)) for first in range(min(PROCESSES, count))]
    command = [sys.executable, "-m", "scripts.load_viewers", url, str(training_id)]
    processes = [
        subprocess.Popen([*command, str(size)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for size in sizes
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line of a process of viewers.

    Raises:
        ViewerFailed: it has ended without output.
    """
    assert process.stdout
    assert process.stderr
    if line := process.stdout.readline():
        return line
    reason = process.stderr.read().strip().splitlines()
    raise ViewerFailed(reason[-1] if reason else f"exit code {process.wait()}")


def watch(url: str, training_id: int, count: int, go: Path) -> list[tuple[dict[str, int], list[float]]]:
    """The messages of each viewer; the run starts when all of them have joined.

    Raises:
        ViewerFailed: a viewer could not connect, or did not receive the end.
    """
    with viewer_processes(url, training_id, count) as processes:
        for process in processes:
            next_line(process)
        go.touch()
        answers = [json.loads(next_line(process)) for process in processes]
    return [(viewer["heard"], viewer["delays"]) for answer in answers for viewer in answer]


class Commits:
    """Counts the commits to a SQLite database, by polling it every few ms from outside; a context manager."""

    def __init__(self, database: Path) -> None:
        self.database, self.count, self.over = database, 0, threading.Event()
        self.thread = threading.Thread(target=self.poll)

    def poll(self) -> None:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        version = None
        while not self.over.wait(0.005):
            before, version = version, connection.execute("PRAGMA data_version").fetchone()[0]
            self.count += before is not None and version != before
        connection.close()

    def __enter__(self) -> "Commits":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def measure(folder: Path, mode: str, viewers: int, count: int, pause: float) -> dict[str, str | float | None]:
    training_id, directory, child = training_with_child(folder, count, pause)
    server = Server(folder, mode)
    try:
        server.start()
        process = psutil.Process(server.worker_pids()[-1])
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        with Commits(folder / "instance" / "test.db") as commits:
            if viewers:
                watched = watch(server.url, training_id, viewers, directory / "go")
            else:
                (directory / "go").touch()
                watched = []
            child.wait(300)
        time.sleep(1)
        cpu = sum(process.cpu_times()[:2]) - before
    finally:
        server.end()
        child.kill()
    sets = {tuple(sorted(counts)) for counts, _ in watched}
    delays = sorted(delay for _, viewer_delays in watched for delay in viewer_delays)
    return {
        "mode": mode,
        "viewers": viewers,
        "messages": len(next(iter(sets), ())),
        "all the same": len(sets) <= 1,
        "most often": max((times for counts, _ in watched for times in counts.values()), default=0),
        "p50, ms": statistics.median(delays) if delays else None,
        "p99, ms": delays[int(0.99 * len(delays))] if delays else None,
        "commits": commits.count,
        "server CPU, s": round(cpu, 2),
        "wall, s": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 100, 500])
    parser.add_argument("--mode", choices=MODES, nargs="+", default=list(MODES))
    parser.add_argument("--messages", type=int, default=80)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two messages")
    args = parser.parse_args()
    for mode in args.mode:
        for viewers in args.viewers:
            with tempfile.TemporaryDirectory(prefix="load-") as folder:
                try:
                    print(json.dumps(measure(Path(folder), mode, viewers, args.messages, args.pause)), flush=True)
                except ViewerFailed as error:
                    sys.exit(f"{mode}, {viewers} viewers: a viewer failed: {error}")


if __name__ == "__main__":
    main()
