"""What all checks share: the server, the data, the clock, and the trainings."""

import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from scripts.client.yolo_client.answers import Training
from scripts.gpu.api import ENDED, brief, children, epochs, get, post
from scripts.gpu.data import DrawnData
from scripts.gpu.host import gpu_names, read_gpu
from scripts.gpu.live import Listener
from scripts.gpu.outcome import Fails, require
from scripts.gpu.servers import Servers
from scripts.local_server import Server

# Small and deterministic: compared runs must not differ by chance. Without plots, which take seconds per training.
STEADY = {"optimizer": "AdamW", "seed": 1, "mosaic": 0.0, "plots": False}


class Oversized(TypedDict, total=False):
    """A training that exhausts its memory."""

    batch_size: int
    img_size: int
    model_version: str


@dataclass(frozen=True)
class Scale:
    """The sizes: images of the dataset, sides in pixels, images per batch, epochs, requests."""

    images: int
    size: int
    small: int
    batch: int
    epochs: int
    watched: int  # epochs of the training during which models are tested
    compared: int  # epochs of a training beside `yolo train`
    oversized: Oversized  # a training that exhausts its memory
    oversized_shortened: Oversized  # the same, with fewer halvings of the batch
    memory_limit: str  # TRAINING_MEMORY_LIMIT
    requests: int


# YOLOv8s: its checkpoints stay far below a run's limit of disk space.
FULL = Scale(
    images=1200,
    size=640,
    small=320,
    batch=32,
    epochs=4,
    watched=10,
    compared=10,
    oversized={"batch_size": 4096, "img_size": 640, "model_version": "s"},
    oversized_shortened={"batch_size": 1024, "img_size": 640, "model_version": "s"},
    memory_limit="0",
    requests=200,
)
# Without a GPU, the memory limit of a process stands in for the card's memory.
WITHOUT_GPU = {
    "oversized": {"batch_size": 32, "img_size": 320},
    "oversized_shortened": {"batch_size": 16, "img_size": 320},
}
FULL_CPU = replace(
    FULL,
    images=300,
    size=192,
    small=96,
    batch=16,
    watched=4,
    compared=4,
    memory_limit="2GB",
    requests=60,
    **WITHOUT_GPU,
)
TINY = replace(
    FULL_CPU, images=60, size=96, small=32, batch=8, epochs=1, watched=5, compared=2, requests=16, **WITHOUT_GPU
)


@dataclass
class Kit:
    """One run of the checks.

    Args:
        folder: everything is written below it.
        device: "cuda" or "cpu".
        deadline: time.monotonic() at the end of the run.
        index: of the GPU, as nvidia-smi counts.
    """

    folder: Path
    device: str
    scale: Scale
    deadline: float
    data: DrawnData
    servers: Servers
    index: int = 0
    in_short: bool = False

    @classmethod
    def create(cls, folder: Path, device: str, scale: Scale, deadline: float = float("inf"), index: int = 0) -> "Kit":
        """A kit with its data and servers."""
        common = {"MIN_FREE_DISK": "200MB", "TRAINING_MEMORY_LIMIT": scale.memory_limit}
        common |= visible(index) if device == "cuda" else {"CUDA_VISIBLE_DEVICES": "-1"}
        data = DrawnData(folder, scale.images, scale.size)
        return cls(folder, device, scale, deadline, data, Servers(folder / "servers", common), index)

    def shortened(self) -> "Kit":
        """The same with fewer epochs, for a repeated check."""
        return replace(self, in_short=True)

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"

    @property
    def patience(self) -> int:
        """A timeout, given its seconds on a machine with a GPU; a CPU may be busy."""
        return 1 if self.on_gpu else 5

    def remaining_s(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    # The server.

    def server(self, mode: str = "eventlet", **settings: str) -> Server:
        """The server of all checks, with these settings."""
        return self.servers.running(mode, **settings)

    def dataset(self, server: Server) -> int:
        """The drawn dataset on this server, valid; its id."""
        stage = self.servers.stage
        if stage.dataset_id is None:
            stage.dataset_id = self.upload(server, "Shapes")
        return stage.dataset_id

    def model(self, server: Server) -> int:
        """A completed training at the size of the images; its id."""
        stage = self.servers.stage
        if stage.training_id is None:
            training_id = self.begin(server, self.dataset(server), "Model", epochs=1, img_size=self.scale.size)
            stage.training_id = self.complete(server, training_id)["id"]
        return stage.training_id

    def upload(self, server: Server, name: str) -> int:
        """Upload the drawn dataset again; its id once it is valid."""
        with open(self.data.archive, "rb") as file:
            form = {"data": {"name": name}, "files": {"file": ("shapes.zip", file)}}
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
        """Queue a training; returns its id. Small and deterministic unless `changes` say otherwise; None: the
        platform's default.
        """
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
        body["params"] = {"device": "0" if self.on_gpu else "cpu"} | changes.get("params", STEADY)
        fields = {name: value for name, value in body.items() if value is not None}
        return post(server, "/api/trainings", json=fields)["training_id"]

    def listen(self, server: Server, training_id: int) -> AbstractContextManager[Listener]:
        """Receives everything that is sent to the training's room within the block."""
        return Listener(server.url, training_id)

    # Waiting.

    def wait(
        self, poll: Callable[[], Any], reached: Callable[[Any], bool], seconds: float, what: str, pause: float = 0.1
    ) -> Any:
        """Poll until `reached` accepts the value; returns it.

        Raises:
            Fails: not within the seconds.
        """
        seconds *= self.patience
        until = time.monotonic() + seconds
        while not reached(value := poll()):
            require(time.monotonic() < until, f"not within {seconds:.0f} s: {what}; last seen: {brief(value)}")
            time.sleep(pause)
        return value

    def wait_for(self, server: Server, training_id: int, *statuses: str, seconds: float = 180) -> Training:
        """Wait until the training has one of these statuses, or has ended otherwise; returns it."""
        path = f"/api/trainings/{training_id}"
        reached = {*statuses, *ENDED}
        what = f"training {training_id} is {' or '.join(statuses)}"
        return self.wait(lambda: get(server, path), lambda body: body["status"] in reached, seconds, what)

    def complete(self, server: Server, training_id: int, seconds: float = 240) -> Training:
        """Wait until the training is completed, with each epoch once; returns it.

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
        """Wait for the process of a running training; returns its id."""
        what = f"training {training_id} has a process"
        return self.wait(lambda: children(server, training_id), bool, 60, what)[0]

    def run(self, command: list[str], seconds: float, what: str, **options: Any) -> "subprocess.CompletedProcess[Any]":
        """Run a program to its end.

        Raises:
            Fails: not within the seconds.
        """
        seconds *= self.patience
        try:
            return subprocess.run(command, timeout=seconds, **options)
        except subprocess.TimeoutExpired as error:
            raise Fails(f"{what} takes more than {seconds:.0f} s") from error

    # Memory of the GPU.

    def gpu_memory(self) -> float:
        """Bytes in use on the GPU; 0 on the CPU."""
        return (read_gpu(self.index).memory or 0.0) if self.on_gpu else 0.0

    def wait_for_free_memory(self, at_most: float, what: str) -> float:
        """Wait until memory in use is down to `at_most`, since an ended process releases its memory within seconds;
        returns the bytes.
        """
        return self.wait(self.gpu_memory, lambda used: used <= at_most, 15, f"memory is free {what}", 0.5)


def visible(index: int) -> dict[str, str]:
    """With several GPUs the server sees only the one under test; a single GPU needs no setting."""
    return {"CUDA_VISIBLE_DEVICES": str(index)} if len(gpu_names()) > 1 else {}
