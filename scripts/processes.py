"""Waits for processes to start, and ends them and their children by their ids."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import requests

START_S, STOP_S = 120, 30


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """TERM, then KILL for it and its children."""
    processes = family(process)
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        kill_all(processes)
        process.wait(STOP_S)


def kill(process: subprocess.Popen[bytes]) -> None:
    """KILL for it and its children."""
    kill_all(family(process))
    process.wait(STOP_S)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The process and its descendants; empty once it has ended."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, STOP_S)


def kill_below(folder: Path, argument: str = "") -> list[psutil.Process]:
    """kill -9 of every process whose command line has this folder, or a path in it; returns those that were killed.

    Args:
        argument: another argument that the command line must have.
    """
    killed = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any(str(folder) in part for part in command) and (not argument or argument in command):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
                process.kill()
                killed.append(process)
    return killed


def wait_for(is_ready: Callable[[], bool], processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Raises RuntimeError: a process ended, or it takes too long; with the end of each log."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and all(process.poll() is None for process in processes):
        if is_ready():
            return
        time.sleep(0.05)
    logs = "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(folder.glob("*/output.log")))
    states = ", ".join(f"{process.args} {process.poll()}" for process in processes)
    raise RuntimeError(f"not ready: {states}\n{logs}")


def answers(url: str) -> bool:
    """Whether anything is served there."""
    try:
        requests.get(url, timeout=5)
    except (requests.ConnectionError, requests.Timeout):
        return False
    return True
