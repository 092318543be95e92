"""Loads and checks initial weights: the official file, from the weights folder or a download, or an earlier
training's."""

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from app.core.train import TrainSpec
from app.events import Download, Note
from app.worker.channel import Channel
from app.worker.failures import StopRequested, WeightsError, sentence
from app.worker.loading import loading

TIMEOUTS_S = (10, 30)  # to connect, and between two chunks
PIECE = 256 * 1024
REPORTED = 1024 * 1024  # one event per megabyte
LARGEST = 1024**3


@dataclass(frozen=True)
class StartWeights:
    """The initial weights of a training: `model` is a file or the name of ultralytics' YAML."""

    model: str
    kind: str  # official, scratch or training


@dataclass(frozen=True)
class RequiredModel:
    """The required model: its name (`yolo11n-seg`) and its task."""

    name: str
    task: str


def start_weights(channel: Channel, spec: TrainSpec) -> StartWeights:
    """The weights for the spec's `start`; a note reports which, and why.

    Raises:
        WeightsError: the requested weights cannot be used.
        StopRequested: a stop was requested meanwhile.
    """
    required = RequiredModel(spec.model, spec.task)
    start = spec.start
    if start["kind"] == "training":
        check(Path(start["path"]), required)
        channel.emit(Note("weights_training", {key: start[key] for key in ("training_id", "checkpoint")}))
        return StartWeights(start["path"], "training")
    if start["kind"] == "scratch":
        channel.emit(Note("weights_none"))
        return StartWeights(f"{required.name}.yaml", "scratch")
    name = official(required.name)
    try:
        return official_weights(channel, required, Path(spec.weights_dir) / name, spec.weights_url)
    except WeightsError as error:
        if start["kind"] == "official":
            raise
        channel.emit(Note("weights_scratch", {"name": name, "reason": sentence(error)}))
    return StartWeights(f"{required.name}.yaml", "scratch")


def official(name: str) -> str:
    """The file name of an architecture's published weights, which may not exist."""
    if name.startswith("yolov5"):
        return re.sub(r"(?:-p(6))?$", r"\1u.pt", name, count=1)
    return f"{name}u.pt" if name.startswith("yolov3") else f"{name}.pt"


def official_weights(channel: Channel, required: RequiredModel, path: Path, address: str) -> StartWeights:
    """From the weights folder, otherwise by download.

    Raises:
        WeightsError: neither has them.
    """
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    if path.exists():
        try:
            check(path, required)
            channel.emit(Note("weights_official", {"name": path.name}))
            return StartWeights(str(path), "official")
        except WeightsError as error:
            channel.emit(Note("weights_rejected", {"name": path.name, "reason": sentence(error)}))
    if path.name not in GITHUB_ASSETS_NAMES:
        raise WeightsError("nobody has published such weights")
    download(channel, f"{address.rstrip('/')}/{path.name}" if address else "", path, required)
    channel.emit(Note("weights_downloaded", {"name": path.name}))
    return StartWeights(str(path), "official")


def download(channel: Channel, url: str, path: Path, required: RequiredModel) -> None:
    """Download, check, and only then move to the target.

    Raises:
        WeightsError: no address, no answer, or an invalid file; nothing is left behind.
        StopRequested: a stop was requested meanwhile.
    """
    if not url:
        raise WeightsError("downloads are switched off (WEIGHTS_URL)")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp.pt")
    try:
        fetch(channel, url, draft, path.name)
        check(draft, required)
        os.replace(draft, path)
    except requests.RequestException as error:
        print(f"{url}: {error}")  # for the log; the user gets the short form
        raise WeightsError("the download failed") from error
    finally:
        draft.unlink(missing_ok=True)


def fetch(channel: Channel, url: str, draft: Path, name: str) -> None:
    """Write the body to `draft`, synced; its length must be the announced one."""
    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, stream=True, timeout=TIMEOUTS_S, headers=headers) as answer:
        answer.raise_for_status()
        total = int(answer.headers.get("Content-Length") or 0)
        received = reported = 0
        channel.emit(Download(name, 0, total))
        with open(draft, "wb") as file:
            for piece in answer.iter_content(PIECE):
                received += file.write(piece)
                if received > LARGEST:
                    raise WeightsError("the server sent more than any weights file has")
                if received - reported >= REPORTED:
                    reported = received
                    channel.emit(Download(name, received, total))
                if channel.stop_requested():
                    raise StopRequested
            file.flush()
            os.fsync(file.fileno())
    channel.emit(Download(name, received, total))
    if total and received != total:
        raise WeightsError(f"the download is cut short: {received} of {total} bytes")


def check(path: Path, required: RequiredModel) -> None:
    """Check that the file is intact and of the required model; the number of classes may differ.

    Raises:
        WeightsError: it is not.
    """
    if not path.is_file():
        raise WeightsError(f"{path.name} is missing")
    check_archive(path)
    from ultralytics.nn.tasks import load_checkpoint

    try:
        with loading(path):
            model, _ = load_checkpoint(path)  # ULTRALYTICS_SAFE_LOAD=1: allowed classes only, nothing is executed
    except Exception as error:
        raise WeightsError(f"{path.name} cannot be loaded: {sentence(error)}") from error
    check_architecture(model, path.name, required)


def check_archive(path: Path) -> None:
    """Check the CRC of each entry: a checkpoint is a ZIP."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError("the file is damaged or no weights file") from error
    if damaged:
        raise WeightsError(f"the file is damaged at {damaged}")


def check_architecture(model: Any, name: str, required: RequiredModel) -> None:
    """Check that the weights have the names and shapes of the model that ultralytics builds from its YAML."""
    from ultralytics.nn import tasks

    kinds: dict[str, type[Any]] = {
        "detect": tasks.RTDETRDetectionModel if "rtdetr" in required.name else tasks.DetectionModel,
        "segment": tasks.SegmentationModel,
        "pose": tasks.PoseModel,
        "obb": tasks.OBBModel,
        "classify": tasks.ClassificationModel,
    }
    kind = kinds[required.task]
    head: Any = model.model[-1] if isinstance(model, kind) else None
    classes = getattr(head, "nc", None) or getattr(getattr(head, "linear", None), "out_features", None)
    if type(model) is not kind or classes is None:  # the class for segmentation is derived from that for detection
        raise WeightsError(f"{name} holds no model for the task {required.task}")
    more = {"data_kpt_shape": tuple(head.kpt_shape)} if required.task == "pose" else {}
    expected = kind(f"{required.name}.yaml", nc=classes, verbose=False, **more)
    if shapes(model) != shapes(expected):
        raise WeightsError(f"{name} holds another model than {required.name}")


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.named_parameters()}
