"""The child that makes a revision: how it is told, started, heard first, and ended."""

import json
import logging
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from flask import current_app
from flask_babel import gettext as _

from app.errors import AppError, NoSpace, Unavailable, Unprocessable
from app.events import Event, Failed, Planned, Refused
from app.extensions import socketio
from app.jobs.process import Child, Pulse
from app.services.datasets.texts import REASONS, say
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")

MAX_FINDINGS = 100_000  # in the index of a revision; all are counted
VERDICT_POLL_S = 0.01
STALLED_S = 60.0  # without a heartbeat
# OpenBLAS's threads spin while they wait, on cores that decode images; no product here is large enough for them.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
ARRIVED = "arrived"  # in the child's folder: the images that are whole, see app/worker/arrivals.py
IMAGE_SIZE = 640  # that small boxes are judged for


def spec(
    storage: StorageService,
    folder: Path,
    number: int,
    options: Mapping[str, Any],
    origin: Mapping[str, Any],
    arriving: bool = False,
) -> dict[str, Any]:
    """spec.json of app/worker/ingest.py."""
    config = current_app.config
    return {
        "dataset": str(folder),
        "number": number,
        "wait": True,
        "adopt": origin.get("kind") == "adopted",
        "arriving": arriving,
        "objects": str(storage.objects),
        "options": dict(options),
        "fixes": origin.get("fixes") or [],
        "max_pixels": config["MAX_IMAGE_PIXELS"],
        "max_classes": config["MAX_CLASSES"],
        "max_findings": MAX_FINDINGS,
        "image_size": IMAGE_SIZE,
    }


def begin(storage: StorageService, values: Mapping[str, Any], spare: Child | None = None) -> Child:
    """Give a child its task: it reads, says its first verdict, and waits for its place.

    Args:
        spare: a child without a task; None: a new one is started.
    """
    child = spare or start(storage)
    if values["arriving"]:
        (child.directory / ARRIVED).touch()
    child.brief(values)
    return child


def start(storage: StorageService) -> Child:
    """A child that loads what it needs and waits for its task."""
    child = Child.start("ingest", storage.ingest_dir(), None, ONE_THREAD)
    draft = child.directory / ".child.tmp"  # who works here, for a web process that starts later
    draft.write_text(json.dumps({"pid": child.pid, "started": child.started}))
    os.replace(draft, child.directory / "child.json")
    return child


def verdict(child: Child) -> tuple[int, Planned]:
    """Wait for the first verdict, letting others be served: how much was read of what it said, and the plan.

    Raises:
        Unprocessable: it was refused. Unavailable: the child did not come to a verdict. It is gone in both cases.
    """
    offset, pulse = 0, Pulse(child)
    try:
        while True:
            alive = child.alive()
            for position, envelope in child.events(offset):
                offset = position
                if isinstance(envelope.event, Planned):
                    return offset, envelope.event
                if isinstance(envelope.event, Refused | Failed):
                    raise refusal(envelope.event, child)
            if not alive or pulse.silent_s() > STALLED_S:
                output = {"output": child.log_tail()}
                logger.error("an import ended without a verdict (%s)", child.exit_code(), extra=output)
                raise Unavailable(_("The dataset couldn't be read: the reading process ended. Try again. If the "
                                    "error persists, see the server log."))  # fmt: skip
            socketio.sleep(VERDICT_POLL_S)
    except BaseException:
        dismiss(child)
        raise


def refusal(event: Event, child: Child) -> AppError:
    """The answer to a refused dataset."""
    if isinstance(event, Failed):
        logger.error("an import failed: %s", event.error, extra={"output": event.traceback or child.log_tail()})
        if event.kind == "disk_full":
            return NoSpace(say(REASONS, "disk_full", {}))
        return Unprocessable(say(REASONS, "failed", {"error": event.error}))
    assert isinstance(event, Refused)
    return Unprocessable(say(REASONS, event.code, event.data))


def kill(child: Child) -> None:
    """End a child at once, and wait until it is gone."""
    child.signal(signal.SIGKILL)
    while child.alive():
        socketio.sleep(0.005)


def dismiss(child: Child) -> None:
    """End a child and remove its folder."""
    kill(child)
    shutil.rmtree(child.directory, ignore_errors=True)


def end_earlier(folder: Path) -> None:
    """End the children of an earlier web process, which outlive it, and remove their folders."""
    for path in folder.glob("*/child.json"):
        try:
            known = json.loads(path.read_bytes())
            kill(Child(path.parent, int(known["pid"]), float(known["started"])))
        except (KeyError, TypeError, ValueError, OSError, psutil.Error) as error:  # cut short by a crash
            logger.warning("%s cannot be read: %s", path, error)
    shutil.rmtree(folder, ignore_errors=True)
