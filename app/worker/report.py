"""A training's own files and its ending: terminal event, description of the machine, config.yaml."""

import json
import platform
import subprocess
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.core.files import atomic_write
from app.core.json_object import JsonObject
from app.core.train import TrainSpec
from app.events import Cancelled, Event, Failed, Paused, Started
from app.worker.channel import Channel
from app.worker.checkpoints import last_epoch
from app.worker.failures import StopRequested, chain, kind_of, sentence
from app.worker.revision import start_weights


def ending(error: BaseException, channel: Channel) -> Event:
    """The terminal event for an exception that left the training."""
    folder = Path(str(channel.spec["training_dir"]))  # only this field: parsing the spec of another version could fail
    if is_requested_stop(error) and (stop_mode := channel.requested_stop()):
        return stop_event(stop_mode, folder)
    mine = failed(error)
    return mine if mine.kind != "code" else failure_elsewhere(channel.directory) or mine


def is_requested_stop(error: BaseException) -> bool:
    """Whether the exception is due to a stop request; processes that were killed from outside only have an
    exit status.
    """
    return any(isinstance(item, StopRequested | subprocess.CalledProcessError) for item in chain(error))


def stop_event(stop_mode: str, folder: Path) -> Event:
    """Cancelled, or paused at the last completed epoch."""
    if stop_mode == "cancel":
        return cancelled(folder)
    return Paused(last_epoch(folder), "asked" if stop_mode == "pause" else "terminated")


def failed(error: BaseException) -> Failed:
    text = "".join(traceback.format_exception(error))
    return Failed(kind_of(error), sentence(error), text[-20_000:])


def write_failure(error: BaseException, directory: Path, rank: int) -> None:
    """Record the failure of a process of a multi-GPU training that does not emit events."""
    text = json.dumps(asdict(failed(error)), ensure_ascii=False)
    atomic_write(directory / f"rank-{rank}.json", lambda draft: draft.write_text(text, encoding="utf-8"))


def failure_elsewhere(directory: Path) -> Failed | None:
    """The failure of another process of a multi-GPU training, of which this one sees only the exit status."""
    failures = [word for path in sorted(directory.glob("rank-*.json")) if (word := failure_file(path)) is not None]
    return min(failures, key=lambda failure: failure.kind == "code", default=None)


def failure_file(path: Path) -> Failed | None:
    try:
        return Failed(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):  # it was killed while writing
        return None


def cancelled(folder: Path) -> Cancelled:
    """Cancelled, with the best weights so far."""
    weights = [name for name in ("best.pt", "last.pt") if (folder / "run" / "weights" / name).exists()]
    results = folder / "run" / "results.csv"
    epochs = max(0, len(results.read_bytes().splitlines()) - 1) if results.exists() else 0
    return Cancelled(epochs, f"run/weights/{weights[0]}" if weights else None)


def gpu_name(device: Any, count: int) -> str:
    """`cpu`, or the name of the GPU or GPUs."""
    import torch

    if device.type != "cuda":
        return str(device.type)
    name = torch.cuda.get_device_name(device)
    return name if count == 1 else f"{count} × {name}"


def weights_kind(spec: TrainSpec, model: str, folder: Path) -> str:
    """`official`, `scratch` or `training`; for a resumed run its original start, as in config.yaml."""
    if spec.resume:
        return str(written(folder / "config.yaml").get("weights", "checkpoint"))
    if spec.start["kind"] == "training":
        return "training"
    return "official" if model.endswith(".pt") else "scratch"


def written(path: Path) -> JsonObject:
    """config.yaml of an earlier start of the same run; empty if missing."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def versions() -> dict[str, str]:
    import torch
    import torchvision
    import ultralytics

    return {
        "python": platform.python_version(),
        "ultralytics": ultralytics.__version__,
        "torch": str(torch.__version__),
        "torchvision": str(torchvision.__version__),
        "cuda": torch.version.cuda or "",
        "system": platform.platform(),
    }


# fields of the event that are written elsewhere below, or concern this process alone
OMITTED = {"arguments", "versions", "drawing"}


def write_config(path: Path, started: Started, spec: TrainSpec) -> None:
    """Write everything that is needed to repeat the training."""
    import yaml

    weights = written(path).get("start_weights") if spec.resume else start_weights(started.arguments.get("model"))
    body = {
        "training_id": spec.training_id,
        "model_version": spec.model_version,
        "written": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "dataset": spec.data,
        "seed": started.arguments.get("seed"),
        "start_weights": weights,
        **{key: value for key, value in asdict(started).items() if key not in OMITTED},
        "versions": started.versions,
        "arguments": started.arguments,
    }
    text = yaml.safe_dump(body, allow_unicode=True, sort_keys=False)
    atomic_write(path, lambda draft: draft.write_text(text, encoding="utf-8"))
