"""Cleans up data/ingests, in which versions before app/jobs ran imports."""

import json
import logging
import shutil
import signal
from pathlib import Path

import psutil

from app.extensions import socketio
from app.jobs.process import Child

logger = logging.getLogger("yolo.dataset")


def end_earlier(folder: Path) -> None:
    """End the children of such a version, which outlive its server, and remove their folders; the imports start again
    from the rows.
    """
    for path in folder.glob("*/child.json"):
        try:
            record = json.loads(path.read_bytes())
            kill(Child(path.parent, int(record["pid"]), float(record["started"])))
        except (KeyError, TypeError, ValueError, OSError, psutil.Error) as error:  # truncated by a crash
            logger.warning("%s cannot be read: %s", path, error)
    shutil.rmtree(folder, ignore_errors=True)


def kill(child: Child) -> None:
    """Kill a child, and wait until it has exited."""
    child.signal(signal.SIGKILL)
    while child.alive():
        socketio.sleep(0.005)
