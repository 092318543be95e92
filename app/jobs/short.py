"""Runs a program for one request, which waits for it: too short for a job, so it has no row and leaves nothing.

Its child is ended like those of jobs: where the server ends before it, by the next one.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.events import Event, Failed
from app.extensions import socketio
from app.jobs.process import Child, oom_kills
from app.jobs.recovery import classify

POLL_S = 0.02


def run_program(
    program: str, directory: Path, spec: Mapping[str, Any], seconds: float = math.inf, limited: bool = False
) -> Event:
    """Have a program run in a folder; its ending: Finished, Refused or Failed. Others are served meanwhile.

    Args:
        program: a module below app/worker/programs.
        directory: is made where it is missing; the caller removes it.
        seconds: after which it is killed, and has failed with the kind `timeout`.
        limited: it limits its own memory.
    """
    kills, until = oom_kills(), time.monotonic() + seconds
    child = Child.start("run", directory, {"program": program} | dict(spec), {})
    try:
        while child.alive():
            if time.monotonic() > until:  # what hangs hears nothing
                child.stop(socketio.sleep, ask=0.0, term=0.0)
                return Failed("timeout", f"took longer than {seconds:g} s")
            socketio.sleep(POLL_S)
        endings = [envelope.event for _offset, envelope in child.events() if envelope.event.terminal]
        return endings[-1] if endings else classify(child, kills, limited)
    finally:
        child.sweep()
