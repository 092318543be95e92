"""Builds the spec of a training's child: data, device, environment."""

import json
import logging
from pathlib import Path

from app.config import Settings
from app.core.train import TrainingStart, TrainSpec
from app.jobs.devices import CPU
from app.models import Training

logger = logging.getLogger("yolo.training")


def spec_of(row: Training, folder: Path, devices: tuple[str, ...], config: Settings) -> TrainSpec:
    """The spec of a training's child."""
    params = row.params.copy()
    params.pop("device", None)
    return TrainSpec(
        training_id=row.id,
        training_dir=str(folder),
        data=str(data_of(row, config)),
        task=row.task,
        model_version=row.model_version,
        architecture=row.architecture,
        start=start_of(row, config),
        resume=str(folder / row.resume_from) if row.resume_from else None,
        epochs=row.epochs,
        batch_size=row.batch_size,
        batch_now=row.batch_now or row.batch_size,
        extensions=row.extensions,
        img_size=row.img_size,
        learning_rate=None if params.get("optimizer") == "auto" else row.learning_rate,
        device=CPU if devices == (CPU,) else ",".join(map(str, range(len(devices)))),
        devices=devices,
        params=params,
        memory_limit=config.TRAINING_MEMORY_LIMIT,
        weights_dir=str(config.WEIGHTS_DIR),
        weights_url=config.WEIGHTS_URL,
    )


def data_of(row: Training, config: Settings) -> Path:
    """The dataset.yaml of the training's version; without one, of the dataset as it is."""
    folder = config.DATASETS_DIR / str(row.dataset_id)
    return (folder if row.revision is None else folder / "revisions" / str(row.revision)) / "dataset.yaml"


def start_of(row: Training, config: Settings) -> TrainingStart:
    """The start of a training; another training's checkpoint with its `path`."""
    kind = row.start.get("kind", "auto")
    if kind != "training":
        return {"kind": kind}
    source = config.MODELS_DIR / str(row.start["training_id"])
    return row.start | {"path": str(source / checkpoint_path(row.start["checkpoint"]))}


def checkpoint_path(name: str | int) -> str:
    """`best`, `last` or the number of an epoch, as a path below the training's folder."""
    return f"run/weights/{name}.pt" if name in {"best", "last"} else f"checkpoints/epoch-{name}.pt"


def environment(devices: tuple[str, ...], config: Settings) -> dict[str, str]:
    """The child's environment: its own devices, numbered from 0, and its own settings of ultralytics."""
    folder = config.DATA_ROOT / "ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "YOLO_CONFIG_DIR": str(folder),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "-1" if devices == (CPU,) else ",".join(devices),
        "TORCH_CUDA_ARCH_LIST": config.TORCH_CUDA_ARCH_LIST,
    }


def devices_in(directory: Path) -> tuple[str, ...]:
    """The devices in the spec of an attempt."""
    try:
        devices = tuple(str(device) for device in json.loads((directory / "spec.json").read_bytes())["devices"])
        if not devices or not all(device == CPU or device.isdecimal() for device in devices):
            raise ValueError("no devices")
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s/spec.json cannot be read (%s): assuming the CPU", directory, error)
        return (CPU,)
    return devices
