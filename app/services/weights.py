"""Checks whether pretrained weights are available before a run needs them: in the weights folder, or for download."""

import logging
import re
import threading
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from flask_babel import gettext as _

from app.extensions import socketio
from app.schemas.defaults import WeightsOutValues

logger = logging.getLogger("yolo.training")

TIMEOUT_S = 5.0  # per attempt
WAIT_S = 2.0  # how long a request waits for a check before it gets `checking`
CACHE_S = {"available": 600.0, "unavailable": 60.0}  # cache lifetime of a state


@dataclass(frozen=True)
class WeightsState:
    """`state`: cached (in the folder), available (for download), unavailable, or checking.

    `cause` of unavailable: off (WEIGHTS_URL is empty), missing (the server has no such file), unreachable.
    """

    state: str
    size: int | None = None  # bytes
    cause: str | None = None


CHECKING = WeightsState("checking")


class PretrainedWeights:
    """Checks and caches whether weights are available.

    Args:
        folder, address: WEIGHTS_DIR and WEIGHTS_URL.
    """

    def __init__(self, folder: str | Path, address: str) -> None:
        self.folder, self.address = Path(folder), address.rstrip("/")
        self._tried: dict[str, tuple[float, WeightsState]] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def view(self, model: str) -> WeightsOutValues:
        """The state as WeightsOut; checked first if it is not cached."""
        name, state = published_name(model), self.find(model)
        text = sentence(name, state)
        return {"name": name, "state": state.state, "size_bytes": state.size, "cause": state.cause, "message": text}

    def starts_from(self, start: str, model: str) -> bool:
        """Whether a run with this start ("auto", "scratch" …) begins with pretrained weights; an unchecked state counts
        as yes.
        """
        return start == "training" or (start != "scratch" and self.find(model).state != "unavailable")

    def known_start(self, start: str, model: str) -> bool | None:
        """The same without waiting for a check; None: unknown, and being checked."""
        if start in {"training", "scratch"}:
            return start == "training"
        state = self.find(model, wait=0.0)
        return None if state is CHECKING else state.state != "unavailable"

    def find(self, model: str, wait: float = WAIT_S) -> WeightsState:
        """The state of a model's weights; `checking` if the check takes longer than `wait` seconds."""
        name = published_name(model)
        until = time.monotonic() + wait
        while (state := self._state(name)) is CHECKING and time.monotonic() < until:
            socketio.sleep(0.05)
        return state

    def _state(self, name: str) -> WeightsState:
        path = self.folder / name
        if path.is_file() and zipfile.is_zipfile(path):
            return WeightsState("cached", path.stat().st_size)
        if not self.address:
            return WeightsState("unavailable", cause="off")
        when, state = self._tried.get(name, (0.0, CHECKING))
        if state is not CHECKING and time.monotonic() - when < CACHE_S[state.state]:
            return state
        with self._lock:
            if name not in self._running:
                self._running.add(name)
                socketio.start_background_task(self._try, name)
        return CHECKING

    def _try(self, name: str) -> None:
        try:
            state = probe(f"{self.address}/{name}")
            if state.state == "unavailable":
                logger.warning("pretrained weights %s/%s: %s", self.address, name, state.cause)
            self._tried[name] = (time.monotonic(), state)
        finally:
            with self._lock:
                self._running.discard(name)


def probe(url: str) -> WeightsState:
    """Size and status of a file on a web server, without its content."""
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (the installation's own setting)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            length = answer.headers.get("Content-Length")
            return WeightsState("available", int(length) if length and length.isdigit() else None)
    except urllib.error.HTTPError as error:
        return WeightsState("unavailable", cause="missing" if error.code in {404, 410} else "unreachable")
    except (OSError, ValueError):
        return WeightsState("unavailable", cause="unreachable")


def published_name(model: str) -> str:
    """The file name of a model's published weights, as in app/worker/weights.py."""
    if model.startswith("yolov5"):
        return re.sub(r"(?:-p(6))?$", r"\1u.pt", model, count=1)
    return f"{model}u.pt" if model.startswith("yolov3") else f"{model}.pt"


def sentence(name: str, state: WeightsState) -> str:
    """The state as a sentence."""
    if state.state == "cached":
        return _("The pretrained weights %(name)s are on this server.", name=name)
    if state.state == "available":
        return _("The pretrained weights %(name)s will be downloaded when the run starts.", name=name)
    if state.state == "checking":
        return _("Checking whether the pretrained weights %(name)s can be downloaded…", name=name)
    causes = {
        "off": _("Downloads are switched off (WEIGHTS_URL)."),
        "missing": _("The weights server doesn't have this file."),
        "unreachable": _("The weights server can't be reached."),
    }
    problem = _(
        "The pretrained weights %(name)s aren't available. The run trains from scratch and needs more epochs.",
        name=name,
    )
    return f"{problem} {causes[state.cause or 'unreachable']}"
