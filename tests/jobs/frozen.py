"""Child processes of a server that stop themselves at their start, so that none can have ended before a test freezes
it, however busy the machine is.
"""

import json
import os
import signal
from pathlib import Path

import psutil

from app.jobs.process import find_children
from scripts.local_server import Server
from tests.faults.tools import wait_until

# Run by each Python process that has it on its path, before anything else. Only the first child of a program stops.
SITE = """
import json, os, signal, sys
from pathlib import Path

if "app.worker.run" in sys.orig_argv:
    options, directory = sys.orig_argv[3:-1], Path(sys.orig_argv[-1])
    program = options[-1] if "--prewarm" in options else json.loads((directory / "spec.json").read_bytes())["program"]
    try:
        Path(__file__).with_name(program).unlink()
    except FileNotFoundError:
        pass
    else:
        os.kill(os.getpid(), signal.SIGSTOP)
"""


def freezing(folder: Path, *programs: str) -> dict[str, str]:
    """Settings of a server whose first child of each program waits for SIGCONT, or for its end."""
    directory = folder / "freezing"
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    for program in programs:
        (directory / program).touch()
    return {"PYTHONPATH": str(directory)}


def programs(server: Server) -> dict[str, int]:
    """The pid of each child that has its task, by its program."""
    pids = {}
    for pid, _started, directory in find_children(Path(server.folder, "data", "jobs")):
        try:
            pids[json.loads((directory / "spec.json").read_bytes())["program"]] = pid
        except FileNotFoundError:  # it has none yet, or has ended
            continue
    return pids


def frozen_child(server: Server, program: str) -> int:
    """The process of a job of a server with `freezing`, once it has stopped itself."""
    pid = wait_until(lambda: programs(server).get(program), 60, f"{program} has a process")
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, 60, f"{program} has stopped itself")
    return pid


def freeze_child(server: Server, program: str) -> int:
    """The process of a job that takes seconds, stopped as soon as it exists."""
    pid = wait_until(lambda: programs(server).get(program), 60, f"{program} has a process", 0.005)
    os.kill(pid, signal.SIGSTOP)
    return pid
