"""What every check has: the server, the data, the clock, and the words for what did not hold."""

import os
import subprocess
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import requests

from scripts.drawing import start_drawing
from scripts.gpu.host import read_gpu
from scripts.gpu.live import Listener
from scripts.local_server import Server

ENGLISH = {"Accept-Language": "en"}
ENDED = {"completed", "failed", "cancelled"}


class Fails(Exception):
    """Something does not hold; the message says what was seen."""


class Skipped(Exception):
    """The host, or this version, lacks what the check needs; the message says what."""


def require(holds: object, message: str) -> None:
    """
    Raises:
        Fails: it does not hold.
    """
    if not holds:
        raise Fails(message)


@dataclass(frozen=True)
class Scale:
    """How large everything is: images of the dataset, their side and that of trainings in pixels, images a batch."""

    images: int
    size: int
    small: int
    batch: int
    epochs: int
    hungry: dict[str, Any]  # a training whose memory runs out
    memory_limit: str  # TRAINING_MEMORY_LIMIT while it runs
    requests: int

    @property
    def validation(self) -> int:
        return self.images // 5


FULL = Scale(1200, 640, 320, 32, 4, {"batch_size": 4096, "img_size": 640, "model_version": "x"}, "0", 200)
# Without a GPU the limit of a process plays the card whose memory runs out.
FULL_CPU = Scale(300, 192, 96, 16, 4, {"batch_size": 64, "img_size": 320}, "2GB", 60)
TINY = Scale(80, 96, 32, 8, 2, {"batch_size": 64, "img_size": 320}, "2GB", 16)


@dataclass
class Kit:
    """One run of the checks.

    Args:
        folder: everything is written below it.
        device: "cuda" or "cpu".
        deadline: time.monotonic() at which nothing new begins.
    """

    folder: Path
    device: str
    scale: Scale
    deadline: float
    index: int = 0  # of the GPU, as nvidia-smi counts
    servers: list[Server] = field(default_factory=list)

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    # Data.

    @cached_property
    def archive(self) -> Path:
        """The drawn dataset as a ZIP; drawn in as many processes as there are cores."""
        parts = min(self.scale.validation, len(os.sched_getaffinity(0)))
        children = [self._draw_part(part, parts) for part in range(parts)]
        target = self.folder / "shapes.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for part, (child, path) in enumerate(children):
                require(child.wait() == 0, f"the data could not be drawn: see {path.parent}")
                copy_entries(path, archive, part)
                path.unlink()
        return target

    def _draw_part(self, part: int, parts: int) -> tuple[subprocess.Popen[bytes], Path]:
        val = share(self.scale.validation, part, parts)
        train = share(self.scale.images - self.scale.validation, part, parts)
        folder = self.folder / "drawing" / str(part)
        return start_drawing(folder, train=train, val=val, size=self.scale.size, seed=part)

    def image(self) -> bytes:
        """A validation image, as a JPEG."""
        with zipfile.ZipFile(self.archive) as archive:
            return archive.read(next(name for name in archive.namelist() if name.startswith("images/val/")))

    # The server.

    def server(self, name: str, mode: str = "eventlet", **settings: str) -> Server:
        """A server on a folder of its own; enter it."""
        folder = self.folder / "servers" / name
        folder.mkdir(parents=True)
        visible = {} if self.on_gpu else {"CUDA_VISIBLE_DEVICES": "-1"}
        server = Server(folder, mode, MIN_FREE_DISK="200MB", **visible | settings)
        self.servers.append(server)
        return server

    def upload(self, server: Server) -> int:
        """The drawn dataset on this server, valid; its id."""
        with open(self.archive, "rb") as file:
            form = {"data": {"name": "Shapes"}, "files": {"file": ("shapes.zip", file)}}
            dataset_id = post(server, "/api/datasets", **form)["dataset_id"]
        dataset = self.wait(
            lambda: get(server, f"/api/datasets/{dataset_id}"),
            lambda body: body["status"] in {"valid", "invalid"},
            120,
            "the dataset is checked",
        )
        require(dataset["status"] == "valid", f"the dataset is {dataset['status']}: {dataset.get('error')}")
        return dataset_id

    def begin(self, server: Server, dataset_id: int, name: str, **changes: Any) -> int:
        """Queue a training; its id. Small and steady unless `changes` say otherwise."""
        steady = {"optimizer": "AdamW", "seed": 1, "mosaic": 0.0, "device": "0" if self.on_gpu else "cpu"}
        body = {
            "name": name,
            "dataset_id": dataset_id,
            "model_version": "n",
            "epochs": self.scale.epochs,
            "batch_size": self.scale.batch,
            "img_size": self.scale.small,
            "learning_rate": 0.003,
            "start": "scratch",
        } | changes
        body["params"] = steady | changes.get("params", {})
        return post(server, "/api/trainings", json=body)["training_id"]

    def listen(self, server: Server, training_id: int) -> AbstractContextManager[Listener]:
        """Everything that the training's room hears while it is entered."""
        return Listener(server.url, training_id)

    # Waiting.

    def wait(
        self, look: Callable[[], Any], reached: Callable[[Any], bool], seconds: float, what: str, pause: float = 0.2
    ) -> Any:
        """The first thing seen that `reached` takes.

        Raises:
            Fails: not within the seconds, or the time of the whole run is over.
        """
        until = time.monotonic() + min(seconds, max(5.0, self.left()))
        while not reached(seen := look()):
            require(time.monotonic() < until, f"not within {seconds:.0f} s: {what}; last seen: {brief(seen)}")
            time.sleep(pause)
        return seen

    def wait_for(self, server: Server, training_id: int, *statuses: str, seconds: float = 180) -> dict[str, Any]:
        """The training once it has one of these statuses, or has ended otherwise."""
        path = f"/api/trainings/{training_id}"
        reached = {*statuses, *ENDED}
        what = f"training {training_id} is {' or '.join(statuses)}"
        return self.wait(lambda: get(server, path), lambda body: body["status"] in reached, seconds, what)

    def complete(self, server: Server, training_id: int, seconds: float = 240) -> dict[str, Any]:
        """The training, completed, with each epoch once.

        Raises:
            Fails: it ended otherwise.
        """
        training = self.wait_for(server, training_id, "completed", seconds=seconds)
        error = f"training {training_id} is {training['status']}: {training['error_kind']}, {training['error']}"
        require(training["status"] == "completed", error)
        numbers = [epoch["epoch"] for epoch in epochs(server, training_id)]
        require(numbers == list(range(1, training["total_epochs"] + 1)), f"epochs that were recorded: {numbers}")
        return training

    def child(self, server: Server, training_id: int) -> int:
        """The process of a running training; soon."""
        return self.wait(lambda: children(server, training_id), bool, 60, f"training {training_id} has a process", 0.1)[
            0
        ]

    # Memory of the GPU.

    def gpu_memory(self) -> float:
        """Bytes in use on the GPU; 0 on the CPU."""
        return (read_gpu(self.index).memory or 0.0) if self.on_gpu else 0.0

    def wait_for_free_memory(self, at_most: float, what: str) -> float:
        """Bytes in use once they are down to `at_most`; a process that ends gives its memory back within seconds."""
        return self.wait(self.gpu_memory, lambda used: used <= at_most, 15, f"memory is free {what}", 0.5)


def share(count: int, part: int, parts: int) -> int:
    """How many of `count` the part gets."""
    return count * (part + 1) // parts - count * part // parts


def copy_entries(source: Path, target: zipfile.ZipFile, part: int) -> None:
    """The images and labels of a part under names of their own; data.yaml once."""
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            folder, _, file = name.rpartition("/")
            if folder:
                target.writestr(f"{folder}/{part:03}-{file}", archive.read(name))
            elif part == 0:
                target.writestr(name, archive.read(name))


def get(server: Server, path: str) -> dict[str, Any]:
    return body_of(server.get(path, headers=ENGLISH))


def post(server: Server, path: str, **options: Any) -> dict[str, Any]:
    return body_of(server.post(path, headers=ENGLISH, **options))


def body_of(answer: requests.Response) -> dict[str, Any]:
    """The JSON of an answer.

    Raises:
        Fails: it is not a success.
    """
    request = f"{answer.request.method} {answer.request.path_url}"
    require(answer.ok, f"{request} was answered {answer.status_code}: {answer.text.strip()[:400]}")
    return answer.json()


def epochs(server: Server, training_id: int) -> list[dict[str, Any]]:
    """What was recorded of each epoch."""
    return get(server, f"/api/trainings/{training_id}/metrics")["epochs"]


def children(server: Server, training_id: int) -> list[int]:
    """The processes that lead the attempts of a training; at most one may live."""
    folder = f"{server.folder}/data/models/{training_id}/attempts/"
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            command = process.info["cmdline"] or []
            if command and command[-1].startswith(folder) and os.getsid(process.pid) == process.pid:
                found.append(process.pid)
        except OSError:  # it has ended meanwhile
            continue
    return found


def brief(seen: Any) -> str:
    """What was seen last, in a line."""
    if isinstance(seen, dict):
        seen = {key: seen.get(key) for key in ("status", "current_epoch", "error_kind", "error") if key in seen} or seen
    return str(seen)[:300]
