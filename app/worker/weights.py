"""Start weights: the official file from the weights folder or a download, each checked; else none."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from app.events import Download, Note
from app.worker.channel import Channel
from app.worker.failures import StopRequested, WeightsError, sentence

TIMEOUTS_S = (10, 30)  # to connect, and between two pieces
PIECE = 256 * 1024
REPORTED = 1024 * 1024  # one event a megabyte
LARGEST = 1024**3


@dataclass(frozen=True)
class Start:
    """What a training starts from: `model` is a file or the name of ultralytics' own YAML."""

    model: str
    kind: str  # official or scratch


def start_weights(channel: Channel, version: str, folder: Path, address: str) -> Start:
    """The best start there is for YOLOv8 `version` (n, s, m, l, x); a note says which and why."""
    name = f"yolov8{version}.pt"
    path = folder / name
    if path.exists():
        try:
            check(path, version)
            channel.say(Note("weights_official", {"name": name}))
            return Start(str(path), "official")
        except WeightsError as error:
            channel.say(Note("weights_rejected", {"name": name, "reason": sentence(error)}))
    try:
        download(channel, f"{address.rstrip('/')}/{name}" if address else "", path, version)
        channel.say(Note("weights_downloaded", {"name": name}))
        return Start(str(path), "official")
    except WeightsError as error:
        channel.say(Note("weights_scratch", {"name": name, "reason": sentence(error)}))
    return Start(f"yolov8{version}.yaml", "scratch")


def download(channel: Channel, url: str, path: Path, version: str) -> None:
    """Fetch, check, and only then put in place.

    Raises:
        WeightsError: no address, no answer, or not the file that it should be; nothing stays behind.
        StopRequested: asked to stop meanwhile.
    """
    if not url:
        raise WeightsError("downloads are switched off (WEIGHTS_URL)")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp.pt")
    try:
        fetch(channel, url, draft, path.name)
        check(draft, version)
        os.replace(draft, path)
    except requests.RequestException as error:
        raise WeightsError(f"the download failed: {sentence(error)}") from error
    finally:
        draft.unlink(missing_ok=True)


def fetch(channel: Channel, url: str, draft: Path, name: str) -> None:
    """Stream the body into `draft`, synced; its length must be what the server announced."""
    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, stream=True, timeout=TIMEOUTS_S, headers=headers) as answer:
        answer.raise_for_status()
        total = int(answer.headers.get("Content-Length") or 0)
        received = reported = 0
        channel.say(Download(name, 0, total))
        with open(draft, "wb") as file:
            for piece in answer.iter_content(PIECE):
                received += file.write(piece)
                if received > LARGEST:
                    raise WeightsError("the server sent more than any weights file has")
                if received - reported >= REPORTED:
                    reported = received
                    channel.say(Download(name, received, total))
                if channel.stop_requested():
                    raise StopRequested
            file.flush()
            os.fsync(file.fileno())
    channel.say(Download(name, received, total))
    if total and received != total:
        raise WeightsError(f"the download is cut short: {received} of {total} bytes")


def check(path: Path, version: str) -> None:
    """The file is whole and is YOLOv8 `version` for detection.

    Raises:
        WeightsError: it is not.
    """
    check_archive(path)
    from ultralytics.nn.tasks import load_checkpoint

    try:
        model, _ = load_checkpoint(path)  # ULTRALYTICS_SAFE_LOAD=1: known classes only, nothing runs
    except Exception as error:
        raise WeightsError(f"{path.name} cannot be loaded: {sentence(error)}") from error
    check_architecture(model, path.name, version)


def check_archive(path: Path) -> None:
    """A checkpoint is a ZIP: each entry's CRC must fit."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError("the file is damaged or no weights file") from error
    if damaged:
        raise WeightsError(f"the file is damaged at {damaged}")


def check_architecture(model: Any, name: str, version: str) -> None:
    """The weights have the names and shapes of the model that ultralytics builds from its YAML."""
    from ultralytics.nn.tasks import DetectionModel

    classes = getattr(model.model[-1], "nc", None) if hasattr(model, "model") else None
    if not isinstance(model, DetectionModel) or classes is None:
        raise WeightsError(f"{name} holds no detection model")
    expected = DetectionModel(f"yolov8{version}.yaml", nc=classes, verbose=False)
    if shapes(model) != shapes(expected):
        raise WeightsError(f"{name} holds another model than YOLOv8{version}")


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}
