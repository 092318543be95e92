"""Runs a program for one request that waits for it: too short for a job, it has no row and leaves no files.

If the server ends before its child, the next server kills it, as with jobs.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path

from app.events import Event, Failed
from app.extensions import socketio
from app.jobs.process import Child, oom_kills
from app.jobs.recovery import classify

POLL_S = 0.02


def run_program(
    program: str, directory: Path, spec: Mapping[str, object], seconds: float = math.inf, limited: bool = False
) -> Event:
    """Run a program in a folder and return its ending: Finished, Refused or Failed. Others are served meanwhile.

    Args:
        program: a module below app/worker/programs.
        directory: created if missing; the caller removes it.
        seconds: after which the child is killed, with the failure `timeout`.
        limited: whether the program limits its own memory.
    """
    kills, until = oom_kills(), time.monotonic() + seconds
    child = Child.start("run", directory, {"program": program} | dict(spec), {})
    try:
        while child.alive():
            if time.monotonic() > until:  # a hung process does not react to a request
                child.stop(socketio.sleep, ask=0.0, term=0.0)
                return Failed("timeout", f"took longer than {seconds:g} s")
            socketio.sleep(POLL_S)
        endings = [envelope.event for _offset, envelope in child.events() if envelope.event.terminal]
        return endings[-1] if endings else classify(child, kills, limited)
    finally:
        child.sweep()
