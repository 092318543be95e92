"""A running training program, and its events."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.events import Event
from app.jobs.process import Child
from tests.data import write_dataset


def specification(folder: Path, data: Path, **changes: Any) -> dict[str, Any]:
    """A spec.json for the training's folder and a dataset.yaml."""
    spec = {
        "program": "train",
        "training_id": 1,
        "training_dir": str(folder),
        "data": str(data),
        "task": "detect",
        "model_version": "n",
        "architecture": None,
        "start": {"kind": "auto"},
        "resume": None,
        "extensions": [],
        "memory_limit": 0,
        "epochs": 2,
        "batch_size": 4,
        "img_size": 32,
        "learning_rate": None,
        "device": "cpu",
        "params": {"optimizer": "auto"},
        "weights_dir": str(folder.parent / "weights"),
        "weights_url": "",
    } | changes
    return {"batch_now": spec["batch_size"]} | spec


class Run:
    """One child and its events."""

    def __init__(self, folder: Path, attempt: int = 1, **changes: Any) -> None:
        self.folder = folder / "models" / "1"
        images, data = changes.pop("images", 8), changes.pop("data", folder / "dataset" / "dataset.yaml")
        if not data.exists():
            write_dataset(folder / "dataset", images, 2)
        spec = specification(self.folder, data, weights_dir=str(folder / "weights"), **changes)
        # One thread: images this small do not benefit from more, which only wait for each other on a busy machine.
        environment = {"YOLO_CONFIG_DIR": str(folder / "ultralytics"), "OMP_NUM_THREADS": "1"}
        self.child = Child.start("run", self.folder / "attempts" / str(attempt), spec, environment)

    def events(self) -> list[Event]:
        return [envelope.event for _, envelope in self.child.events()]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events() if type(event) is kind]

    def wait(self, check: Callable[["Run"], object], seconds: float = 150) -> None:
        until = time.monotonic() + seconds
        while not check(self):
            assert time.monotonic() < until, (self.events()[-1:], self.child.log_tail())
            assert self.child.alive() or check(self), self.child.log_tail()
            time.sleep(0.05)

    def end(self) -> Event:
        """Wait for the end of the process; returns its last event."""
        self.wait(lambda run: not run.child.alive())
        return self.events()[-1]
