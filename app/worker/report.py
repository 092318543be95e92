"""What a training tells about itself: its ending, its machine, its config.yaml."""

import platform
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.events import Cancelled, Event, Failed, Started
from app.worker.failures import StopRequested, chain, kind_of, sentence
from app.worker.files import put


def ending(error: BaseException, folder: Path) -> Event:
    """The terminal event for an exception that left the training."""
    if any(isinstance(item, StopRequested) for item in chain(error)):
        return cancelled(folder)
    text = "".join(traceback.format_exception(error))
    return Failed(kind_of(error), sentence(error), text[-20_000:])


def cancelled(folder: Path) -> Cancelled:
    """Cancelled, with the best weights there are."""
    weights = [name for name in ("best.pt", "last.pt") if (folder / "run" / "weights" / name).exists()]
    results = folder / "run" / "results.csv"
    epochs = max(0, len(results.read_text().splitlines()) - 1) if results.exists() else 0
    return Cancelled(epochs, f"run/weights/{weights[0]}" if weights else None)


def gpu_name(device: Any, count: int) -> str:
    """`cpu`, or the name of the GPU, or of several."""
    import torch

    if device.type != "cuda":
        return str(device.type)
    name = torch.cuda.get_device_name(device)
    return name if count == 1 else f"{count} × {name}"


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


def write_config(path: Path, started: Started, spec: dict[str, Any]) -> None:
    """Everything that is needed to run the same training again."""
    import yaml

    body = {
        "training_id": spec["training_id"],
        "model_version": spec["model_version"],
        "written": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "dataset": spec["data"],
        "seed": started.arguments.get("seed"),
        **{key: value for key, value in asdict(started).items() if key not in {"arguments", "versions"}},
        "versions": started.versions,
        "arguments": started.arguments,
    }
    text = yaml.safe_dump(body, allow_unicode=True, sort_keys=False)
    put(path, lambda draft: draft.write_text(text, encoding="utf-8"))
