"""Inspects an uploaded .pt without executing anything in it.

spec.json: see `WeightsSpec`. The result: `task`,
`architecture` (its name), `classes`, `parameters`, `img_size`, `batch`, `epochs`, `sha256`. Refused codes: see
app/services/uploaded_models.py.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.core.files import file_hash
from app.core.programs import WeightsResult, WeightsSpec
from app.core.train import UltralyticsArguments
from app.worker.channel import Channel
from app.worker.failures import InvalidInput, WeightsError, kind_of
from app.worker.train import limit_memory

# Packages of the classes in ultralytics' checkpoints. Any other name in a pickle could execute code.
ALLOWED_PACKAGES = {"torch", "torchvision", "ultralytics", "numpy", "collections", "pathlib", "clip"}
HARMLESS = {"builtins.set", "builtins.slice", "builtins.complex", "builtins.range", "builtins.bytearray"}
OURS = re.compile(r"(yolov?\d+|rtdetr)[a-z0-9-]*")
NAMED = 5  # refused names in a message
SIZES = (32, 4096)  # px
LONGEST_NAME = 200  # characters per class


def run(channel: Channel) -> WeightsResult:
    """Check an uploaded .pt file and describe its model.

    Raises:
        InvalidInput: it is not a model that this server can use.
    """
    spec = WeightsSpec.of(channel.spec)
    limit_memory(spec.memory)  # a few bytes may create a large object: torch.nn.Linear(60000, 100000)
    path = Path(spec.path)
    check_file(path, spec.most_bytes)
    check_globals(path)
    model, checkpoint = loaded(path)
    check_names(model, spec.most_classes)
    arguments = checkpoint.get("train_args")
    arguments = arguments if isinstance(arguments, dict) else {}
    check_arguments(arguments)
    return {
        "task": model.task,
        "architecture": architecture(model),
        "classes": list(model.names.values()),
        "parameters": sum(tensor.numel() for tensor in model.parameters()),
        "img_size": number(arguments.get("imgsz"), *SIZES),
        "batch": number(arguments.get("batch"), 1, 4096),
        "epochs": number(arguments.get("epochs"), 1, 10_000),
        "sha256": file_hash(path),
    }


def check_file(path: Path, most: int) -> None:
    """Check that the file is a complete archive as written by torch.save.

    Raises:
        InvalidInput: it is not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > most:
                raise InvalidInput("too_large")
            if not any(entry.filename.endswith("/data.pkl") for entry in entries):
                raise InvalidInput("no_weights")
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise InvalidInput("no_weights") from error
    if damaged:
        raise InvalidInput("damaged")


def check_globals(path: Path) -> None:
    """Check that the pickle names only allowed classes.

    Raises:
        InvalidInput: it names others. It is parsed, not executed.
    """
    import torch

    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception as error:  # from a malformed pickle
        raise InvalidInput("damaged") from error
    foreign = [name for name in named if name.partition(".")[0] not in ALLOWED_PACKAGES and name not in HARMLESS]
    if foreign:
        raise InvalidInput("foreign", names=[name[:80] for name in foreign[:NAMED]])


def loaded(path: Path) -> tuple[Any, Mapping[str, object]]:
    """Creates only classes that ultralytics allows, and executes nothing: ULTRALYTICS_SAFE_LOAD=1 in each child.

    Raises:
        InvalidInput: it contains no model.
    """
    from ultralytics.nn.tasks import load_checkpoint
    from ultralytics.utils import SAFE_LOAD

    if not SAFE_LOAD:
        raise RuntimeError("weights of others are loaded in the safe way only")
    try:
        model, checkpoint = load_checkpoint(path)
        names = model.names
    except Exception as error:
        if kind_of(error) in {"out_of_memory", "disk_full"}:
            raise
        raise InvalidInput("no_model") from error
    if not isinstance(names, dict) or not names or not isinstance(checkpoint, dict):
        raise InvalidInput("no_model")
    return model, checkpoint


def check_names(model: Any, most: int) -> None:
    """Check the model's class names.

    Raises:
        InvalidInput: they are not numbered 0, 1, 2 … with a printable name each.
    """
    names, described = model.names, model.yaml if isinstance(getattr(model, "yaml", None), dict) else {}
    if len(names) > most:
        raise InvalidInput("classes_too_many", limit=most)
    fits = list(names) == list(range(len(names))) and described.get("nc", len(names)) == len(names)
    if not fits or not all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in names.values()):
        raise InvalidInput("classes")
    if not all(name.isprintable() for name in names.values()):
        raise InvalidInput("classes")


def check_arguments(arguments: UltralyticsArguments) -> None:
    """Check arguments of the checkpoint that ultralytics uses as defaults.

    Raises:
        InvalidInput: an image size or a flag is invalid.
    """
    size = arguments.get("imgsz", 640)
    if number(size, *SIZES) is None:
        raise InvalidInput("img_size", size=str(size)[:40])
    if not isinstance(arguments.get("single_cls", False), bool | None):  # each prediction would fail on it
        raise InvalidInput("no_model")


def architecture(model: Any) -> str:
    """The name of the architecture with exactly these layers.

    Raises:
        InvalidInput: there is none.
    """
    from app.worker.weights import RequiredModel, check_architecture

    described = model.yaml if isinstance(getattr(model, "yaml", None), dict) else {}
    name = Path(str(described.get("yaml_file") or "")).stem
    if not OURS.fullmatch(name):
        raise InvalidInput("architecture", name=name[:40])
    try:
        check_architecture(model, "the file", RequiredModel(name, model.task))
    except (WeightsError, KeyError, FileNotFoundError, AttributeError) as error:
        raise InvalidInput("architecture", name=name[:40]) from error
    return name


def number(value: Any, low: int, high: int) -> int | None:
    """A number of a checkpoint, if plausible."""
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None
