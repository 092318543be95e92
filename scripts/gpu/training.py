"""Trainings: the device and its figures, exhausted memory, killed processes, precision."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from app.core.train import UltralyticsArguments
from scripts.client.yolo_client.answers import Event, Training
from scripts.gpu.api import ENDED, children, epochs, get, post, status
from scripts.gpu.host import MB, Sampler, compute_capability, difference_of_means, gpu_names, typical_difference
from scripts.gpu.kit import STEADY, Kit
from scripts.gpu.outcome import Skipped, require
from scripts.local_server import Server

# How far the stream may differ from nvidia-smi, since they are read at different times.
MEMORY, TEMPERATURE, POWER, UTILIZATION = 256 * MB, 4.0, 60.0, 35.0
JUMPING = {"power", "utilization"}
LEFTOVER = 64 * MB  # what the driver may retain after a process
LOSS_JUMP = 1.5


def train(kit: Kit, mode: str = "eventlet") -> str:
    """A training on the device; tests of a model and an estimate beside it; the GPU's figures in the stream."""
    server = kit.server(mode)
    dataset_id = kit.dataset(server)
    idle = kit.gpu_memory()
    for count in (kit.scale.watched, 4 * kit.scale.watched):  # once more if it ended before the tests did
        training_id = kit.begin(server, dataset_id, "Watched", epochs=count, img_size=kit.scale.size)
        with kit.listen(server, training_id) as live, watching(kit) as sampler:
            after_epoch(kit, server, training_id, 1)
            beside = disturb(kit, server, training_id, dataset_id)
            training = kit.complete(server, training_id)
        if beside:
            break
    require(beside, "each time the training was over before its model was tested")
    require(training["halvings"] == 0 and training["restarts"] == 0, "the tests or the estimate disturbed the training")
    device = reported_device(kit, training)
    figure = compared(live.of("training_system"), sampler) if sampler else "no GPU, so no figures of one"
    require(live.of("training_system"), "no figures of the machine came")
    kit.wait_for_free_memory(idle + LEFTOVER, "after the training")
    kit.servers.stage.training_id = training_id
    return f"on {device}, {count} epochs, tests and an estimate beside it; {figure}"


@contextmanager
def watching(kit: Kit) -> Iterator[Sampler | None]:
    """Reads nvidia-smi during the training; nothing on the CPU."""
    if not kit.on_gpu:
        yield None
        return
    with Sampler(kit.index) as sampler:
        yield sampler


def disturb(kit: Kit, server: Server, training_id: int, dataset_id: int) -> bool:
    """Test the model of a running training, and request an estimate; whether the training was still running
    after that.
    """
    body = {"dataset_id": dataset_id, "model_version": "s", "img_size": kit.scale.small, "batch_size": kit.scale.batch}
    answer = post(server, "/api/trainings/estimate", json=body)
    for _ in range(5):
        post(server, "/api/tests", data={"training_id": training_id}, files={"file": ("image.jpg", kit.data.image())})
    running = status(server, training_id) == "running"
    require(not running or answer["status"] != "measuring", "an estimate is measured on the device of a training")
    return running


def reported_device(kit: Kit, training: Training) -> str:
    """The device on which the training ran, as reported by the platform."""
    device = training["device"]
    if not kit.on_gpu:
        require(device == "cpu", f"the training says it ran on {device}")
        return "cpu"
    name = gpu_names()[kit.index]
    require(device == name, f"the training says it ran on {device}, nvidia-smi calls the GPU {name}")
    return name


def compared(messages: list[tuple[float, Event]], sampler: Sampler) -> str:
    """The GPU's figures in the stream against nvidia-smi."""
    pairs: dict[str, list[tuple[float | None, float | None]]] = {}
    for moment, payload in messages:
        reading = sampler.closest(moment)
        require(payload["gpus"], "a message of figures without the GPU")
        gpu = payload["gpus"][0]
        if reading is None:
            continue
        for name, theirs in (
            ("memory_used", reading.memory),
            ("temperature", reading.temperature),
            ("power", reading.power),
            ("utilization", reading.utilization),
        ):
            pairs.setdefault(name, []).append((gpu[name], theirs))
    require(pairs, "no message of figures came near a reading of nvidia-smi")
    limits = {"memory_used": MEMORY, "temperature": TEMPERATURE, "power": POWER, "utilization": UTILIZATION}
    texts = []
    for name, limit in limits.items():
        measure = difference_of_means if name in JUMPING else typical_difference
        difference = measure(pairs[name])
        require(difference is None or difference <= limit, f"{name} differs from nvidia-smi by {difference}")
        text = "not told" if difference is None else f"{difference / (MB if name == 'memory_used' else 1):.0f}"
        texts.append(f"{name} {text}")
    return f"typical difference from nvidia-smi (MB, °C, W, %): {', '.join(texts)}"


def out_of_memory(kit: Kit, mode: str = "eventlet") -> str:
    """A batch that does not fit: smaller ones, or a failure with that reason; then the next training starts."""
    server = kit.server(mode)
    dataset_id = kit.dataset(server)
    idle = kit.gpu_memory()
    oversized = kit.scale.oversized_shortened if kit.in_short else kit.scale.oversized
    training_id = kit.begin(server, dataset_id, "Oversized", **{"epochs": 1, **oversized})
    follower = kit.begin(server, dataset_id, "Next", epochs=1)
    training = kit.wait_for(server, training_id, "completed", seconds=240)
    if training["status"] == "failed":
        require(training["error_kind"] == "out_of_memory", f"failed with {training['error_kind']}: {training['error']}")
    require(training["halvings"], f"batch {training['batch_size']} fitted: nothing was proven")
    kit.complete(server, follower)
    used = kit.wait_for_free_memory(idle + LEFTOVER, "after both trainings")
    figure = f"batch {training['batch_size']}, halved {training['halvings']} times, then {training['status']}"
    return figure + (f"; {(used - idle) / MB:.0f} MB more in use afterwards" if kit.on_gpu else "")


def killed(kit: Kit, mode: str = "eventlet") -> str:
    """kill -9 of the child, then of the server: the run resumes, each epoch once, its loss without a jump."""
    server = kit.server(mode)
    dataset_id = kit.dataset(server)
    idle = kit.gpu_memory()
    training_id = kit.begin(server, dataset_id, "Killed", epochs=kit.scale.epochs + 3)
    after_epoch(kit, server, training_id, 1)
    os.kill(kit.child(server, training_id), signal.SIGKILL)
    after_epoch(kit, server, training_id, 2)
    kill_server(server)
    server.start()
    training = kit.complete(server, training_id)
    # A process records how it ended before it exits.
    kit.wait(lambda: children(server, training_id), lambda pids: not pids, 30, "no process of the training is left")
    kit.wait_for_free_memory(idle + LEFTOVER, "after a training that was killed")
    losses = [epoch["loss"] for epoch in epochs(server, training_id)]
    for before, after in pairwise(losses):
        require(math.isfinite(after) and after <= LOSS_JUMP * before, f"the loss jumps: {losses}")
    resumed = sum(note["code"] == "resumed" for note in training["notes"])
    require(resumed, "no note says that the run was resumed")
    return f"{len(losses)} epochs, each once; loss {', '.join(f'{loss:.2f}' for loss in losses)}"


def kill_server(server: Server) -> None:
    """kill -9 of all its processes; the trainings continue."""
    pids = server.worker_pids()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait(10)


def after_epoch(kit: Kit, server: Server, training_id: int, epoch: int) -> None:
    """Wait until the epoch is recorded, there is a checkpoint to resume from, and its process is still running.

    Raises:
        Fails: the training ended before.
    """
    path = f"/api/trainings/{training_id}"
    reached = kit.wait(
        lambda: get(server, path),
        lambda body: body["current_epoch"] >= epoch or body["status"] not in {"pending", "running"},
        180,
        f"epoch {epoch} is recorded",
        0.05,
    )
    require(reached["status"] in {"pending", "running"}, f"the training is {reached['status']} already")
    kit.wait(  # it is written after the message of its epoch
        lambda: get(server, f"{path}/checkpoints")["checkpoints"],
        lambda checkpoints: any(item["resumable"] for item in checkpoints),
        60,
        "a checkpoint can be resumed",
        0.05,
    )


def precision(kit: Kit) -> str:
    """Mixed precision if the GPU supports it, and off if requested; the losses agree."""
    if not kit.on_gpu:
        raise Skipped("half precision in training needs a GPU")
    capability = compute_capability(kit.index)
    expected = {"bf16"} if capability and capability >= 8 else {True} if capability else {"bf16", True}
    server = kit.server()
    dataset_id = kit.dataset(server)
    used, losses = {}, {}
    for amp in (True, False):
        training_id = kit.begin(server, dataset_id, f"amp {amp}", epochs=1, params=STEADY | {"amp": amp})
        kit.complete(server, training_id)
        used[amp] = arguments(server, training_id)["amp"]
        losses[amp] = epochs(server, training_id)[0]["loss"]
    require(used[True] in expected and used[False] is False, f"amp as used: {used}, compute capability {capability}")
    require(abs(losses[True] - losses[False]) <= 0.1 * losses[False], f"losses differ: {losses}")
    return f"amp {used[True]}: loss {losses[True]:.3f}, without {losses[False]:.3f}"


def arguments(server: Server, training_id: int) -> UltralyticsArguments:
    """The arguments with which ultralytics was called, from the run's own args.yaml."""
    import yaml

    path = server.folder / "data" / "models" / str(training_id) / "run" / "args.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def slots(kit: Kit) -> str:
    """Two trainings on one GPU at the same time, if the setting allows it."""
    if not kit.on_gpu:
        raise Skipped("slots are of GPUs; a CPU has one")
    server = kit.server(TRAININGS_PER_GPU="2")
    dataset_id = kit.dataset(server)
    both = [kit.begin(server, dataset_id, name, epochs=2) for name in ("One", "Two")]
    kit.wait(
        lambda: [status(server, training_id) for training_id in both],
        lambda states: states == ["running", "running"] or set(states) & ENDED,
        60,
        "both trainings run",
    )
    pids = [kit.child(server, training_id) for training_id in both]
    running = [status(server, training_id) for training_id in both]
    require(running == ["running", "running"], f"the two are {running} at the same time")
    for training_id in both:
        require(kit.complete(server, training_id)["halvings"] == 0, "memory ran out")
    return f"processes {pids[0]} and {pids[1]} at the same time; both completed"


def several_gpus(kit: Kit) -> str:
    """One training on two GPUs."""
    count = len(gpu_names()) if kit.on_gpu else 0
    if count < 2:
        raise Skipped(f"a training on two GPUs needs two; this host has {count}")
    server = kit.server(CUDA_VISIBLE_DEVICES="0,1")
    dataset_id = kit.dataset(server)
    training_id = kit.begin(server, dataset_id, "Two GPUs", epochs=2, params=STEADY | {"device": "0,1"})
    training = kit.complete(server, training_id)
    require(len(training["devices"]) == 2, f"devices: {training['devices']}")
    return f"devices {', '.join(training['devices'])}; {training['total_epochs']} epochs"


def in_threads(kit: Kit) -> str:
    """The first three checks with SOCKETIO_ASYNC_MODE=threading, shortened."""
    parts = [check(kit.shortened(), "threading") for check in (train, out_of_memory, killed)]
    return "; ".join(parts)
