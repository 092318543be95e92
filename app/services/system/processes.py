"""The server's own process and its children, and the users of each device."""

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from sqlalchemy import select

from app.extensions import db
from app.models import Training
from app.services.system.read_models import DeviceView, Gpu, ProcessView

CACHE_S = 1.5  # listing all processes takes some ms
MODULE = re.compile(r"app\.worker\.(\w+)")
_cached: tuple[float, list[ProcessView]] = -CACHE_S, []  # time by the monotonic clock, and result
# Not those of psutil.process_iter: a real thread must not wait for a lock of a greenlet.
_processes: dict[int, psutil.Process] = {}


def processes(data: Path) -> list[ProcessView]:
    """The server, then its children by age: program, memory in bytes, CPU in percent of one core, running time in s."""
    global _cached
    if time.monotonic() - _cached[0] >= CACHE_S:
        _cached = time.monotonic(), list_processes(data.resolve())
    return _cached[1]


def list_processes(data: Path) -> list[ProcessView]:
    """The running processes; `data` distinguishes our children from those of another installation."""
    rows = []
    for process in running():
        try:
            if process.pid == os.getpid():
                rows.append(process_view(process, "web", None))
                continue
            program, directory = child_of(process.cmdline())
            if program and (process.ppid() == os.getpid() or (directory and data in directory.parents)):
                rows.append(process_view(process, program, training_of(directory, data)))
        except psutil.Error:  # it has ended meanwhile, or belongs to another user
            continue
    return sorted(rows, key=lambda item: (item["program"] != "web", -item["uptime"]))


def running() -> Iterator[psutil.Process]:
    """Every process; the same object each time, so that its CPU use is measured since the last call."""
    pids = set(psutil.pids())
    for ended in _processes.keys() - pids:
        del _processes[ended]
    for pid in sorted(pids):
        try:
            if pid not in _processes or not _processes[pid].is_running():  # the pid was reused
                _processes[pid] = psutil.Process(pid)
            yield _processes[pid]
        except psutil.Error:
            continue


def child_of(command: list[str]) -> tuple[str | None, Path | None]:
    """The program and the folder of a child by its command line."""
    for index, part in enumerate(command[:-1]):
        if part == "-m" and (match := MODULE.fullmatch(command[index + 1])):
            rest = command[index + 2 :]
            directory = Path(rest[-1]) if rest and rest[-1].startswith("/") else None
            prewarmed_for = rest[1] if rest[:1] == ["--prewarm"] else "run"
            return program_of(directory, prewarmed_for) if match[1] == "run" else match[1], directory
    return None, None


def program_of(directory: Path | None, otherwise: str) -> str:
    """The program of a job's child, from its spec.json; `otherwise` if there is none."""
    try:
        return str(json.loads(((directory or Path()) / "spec.json").read_text(encoding="utf-8"))["program"])
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise


def training_of(directory: Path | None, data: Path) -> int | None:
    """The training whose folder this is: data/models/{id}/attempts/{n}."""
    if directory is None or data not in directory.parents:
        return None
    parts = directory.relative_to(data).parts
    return int(parts[1]) if len(parts) > 2 and parts[0] == "models" and parts[1].isdigit() else None


def process_view(process: psutil.Process, program: str, training_id: int | None) -> ProcessView:
    """A process with its memory and CPU use."""
    with process.oneshot():
        return {
            "pid": process.pid,
            "program": program,
            "training_id": training_id,
            "rss": process.memory_info().rss,
            "cpu": process.cpu_percent(),
            "threads": process.num_threads(),
            "uptime": round(max(0.0, time.time() - process.create_time()), 1),
        }


def devices(gpus: list[Gpu], busy: dict[int, tuple[str, ...]], measuring: Iterable[str]) -> list[DeviceView]:
    """CPU and GPUs, each with its trainings, and whether an estimate is being measured there.

    Args:
        gpus: from gpus().
        busy: the devices that each running training holds.
        measuring: the devices on which an estimate is being measured.
    """
    named = select(Training.id, Training.name).where(Training.id.in_(list(busy)))
    names = {row.id: row.name for row in db.session.execute(named)} if busy else {}
    listed: list[tuple[str, str | None]] = [("cpu", None), *((str(gpu["index"]), gpu["name"]) for gpu in gpus)]
    extra = {device for used in busy.values() for device in used} - {device for device, _ in listed}
    listed += [(device, None) for device in sorted(extra)]
    return [
        {
            "device": device,
            "name": name,
            "trainings": [
                {"id": holder, "name": names.get(holder)} for holder, used in sorted(busy.items()) if device in used
            ],
            "measuring": device in set(measuring),
        }
        for device, name in listed
    ]
