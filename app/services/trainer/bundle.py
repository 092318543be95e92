"""Streams a ZIP with everything that is needed to reproduce a training."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from app import __version__
from app.core.paths import data_folder_of, redact_paths
from app.core.train import UltralyticsArguments
from app.errors import NotFound
from app.models import Dataset, Training
from app.services.storage.names import read_yaml, write_yaml
from app.services.storage.unpack import Pacer
from app.services.trainer.integrity import is_intact
from app.services.trainer.output import readable
from app.services.trainer.reruns import RunConfig, TrainingReruns, same_columns
from app.services.trainer.store import TrainingStore

PIECE = 256 * 1024
LOG_TAIL = 256 * 1024
ATTEMPTS = 5  # latest attempts whose logs are included
# arguments that are only meaningful on this server
HERE = ("project", "name", "save_dir", "exist_ok", "resume", "tracker")
PLOT_NAME = re.compile(r"[\w.-]+\.(png|jpg)")

README = """# Training {id}: {name}

Made by YOLO Training Platform {version}. Dataset: {dataset} ({images} images, revision `{revision}`).

| file | what it is |
| --- | --- |
| `config.yaml` | every argument, versions, seed, device, the dataset's revision and the start weights |
| `request.json` | the same as a request to this platform |
| `args.yaml` | the same for plain ultralytics |
| `dataset.yaml` | class names and split; the images are not in this bundle |
{weights}
| `results.csv`, `plots/` | what ultralytics wrote |
| `log/` | the last output and events of each attempt |

## Run it again with this platform

Where the training still is: `POST /api/trainings/{id}/run-again`. It refuses when dataset or start weights have changed
since. On another server: upload the dataset, put its number into `request.json`, and

    curl -H "Content-Type: application/json" --data @request.json http://SERVER:5000/api/trainings

## Run it again with plain ultralytics

Put the dataset somewhere, write its folder into `dataset.yaml` (`path:`), then, in this folder:

    pip install ultralytics=={ultralytics} torch=={torch}
    yolo train cfg=args.yaml

{start} The seed is {seed}. The same numbers come out on the same kind of device ({device}) with the same versions and
the same number of threads; elsewhere they differ in the last digits.
"""


class Sink:
    """The file object that zipfile writes to; the reader drains it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    def drain(self) -> bytes:
        data, self.parts = b"".join(self.parts), []
        return data


class TrainingBundle:
    """Creates bundles.

    Args:
        reruns: reads the resolved configuration of a training.
    """

    def __init__(self, store: TrainingStore, reruns: TrainingReruns) -> None:
        self.store, self.reruns = store, reruns

    def bundle(self, training_id: int) -> tuple[Iterator[bytes], str]:
        """The ZIP in chunks, and its download name.

        Raises:
            NotFound: there is no such training, or it never started.
        """
        row = self.store.row(training_id)
        used = self.reruns.used_config(training_id)
        if not used:
            raise NotFound(_("This run hasn't started yet, so it can't be reproduced."))
        texts = self.texts(row, used)
        name = re.sub(r"[^\w.-]+", "-", row.name, flags=re.ASCII).strip("-.") or "training"
        return pack(texts, self.bundled_files(training_id)), f"{name}-{row.id}-bundle.zip"

    def texts(self, row: Training, used: RunConfig) -> dict[str, str]:
        """The generated text files of the bundle, by name."""
        folder = self.store.folder(row.id)
        description = read_yaml(self.store.storage.dataset_yaml(row.dataset_id, row.revision)) or {
            "names": row.dataset.classes
        }
        portable: dict[str, object] = {"path": "/where/the/dataset/is"}
        portable |= {key: value for key, value in description.items() if key not in {"path", "download"}}
        return {
            "README.md": readme(row, row.dataset, used, described(folder / "run" / "weights")),
            "request.json": json.dumps(request_of(row, used), ensure_ascii=False, indent=1) + "\n",
            "args.yaml": write_yaml(portable_arguments(read_yaml(folder / "run" / "args.yaml") or used["arguments"])),
            "dataset.yaml": write_yaml(portable),
            "config.yaml": public_config(folder),
            **dict(log_texts(folder)),
        }

    def bundled_files(self, training_id: int) -> Iterator[tuple[str, Path]]:
        """(name in the ZIP, file). Names are ours or ASCII."""
        folder = self.store.folder(training_id)
        for name in ("best.pt", "last.pt"):
            path = folder / "run" / "weights" / name
            if is_intact(path):
                yield f"weights/{name}", path
                break
        yield "results.csv", folder / "run" / "results.csv"
        for path in sorted((folder / "run").glob("*.*")):
            if PLOT_NAME.fullmatch(path.name):
                yield f"plots/{path.name}", path


def public_config(folder: Path) -> str:
    """A training's config.yaml without paths of the host that wrote it: perhaps that of an earlier attempt, since one
    that has nothing left to train writes none.
    """
    text = (folder / "config.yaml").read_text(encoding="utf-8", errors="replace")
    data = [data_folder_of(folder / "attempts" / str(number)) for number in attempt_numbers(folder)]
    writer = next((path for path in reversed(data) if str(path) in text), folder.parents[1])
    return redact_paths(text, writer)


def attempt_numbers(folder: Path) -> list[int]:
    """The attempts of a training that have a folder, oldest first."""
    return sorted(int(path.name) for path in (folder / "attempts").glob("*") if path.name.isdecimal())


def log_texts(folder: Path) -> Iterator[tuple[str, str]]:
    """The ends of the latest attempts' logs and events, by name in the ZIP."""
    for number in attempt_numbers(folder)[-ATTEMPTS:]:
        attempt = folder / "attempts" / str(number)
        for name, path in (("", attempt / "worker.log"), ("-events", attempt / "events.jsonl")):
            if path.is_file():
                with open(path, "rb") as file:
                    file.seek(-min(LOG_TAIL, path.stat().st_size), 2)
                    yield f"log/attempt-{number}{name}{path.suffix}", readable(file.read(LOG_TAIL), attempt)


def pack(texts: dict[str, str], files: Iterator[tuple[str, Path]]) -> Iterator[bytes]:
    """The ZIP in chunks, with little of it in memory at once; yields to other requests."""
    sink, pacer = Sink(), Pacer()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, text in texts.items():
            archive.writestr(name, text)
            yield sink.drain()
        for name, path in files:
            if not path.is_file():
                continue
            with open(path, "rb") as file, archive.open(member(name, path), "w", force_zip64=True) as target:
                while piece := file.read(PIECE):
                    target.write(piece)
                    pacer()
                    yield sink.drain()
    yield sink.drain()


def member(name: str, path: Path) -> zipfile.ZipInfo:
    """Stored without compression if it is weights or an image."""
    info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
    info.compress_type = zipfile.ZIP_STORED if path.suffix in {".pt", ".png", ".jpg"} else zipfile.ZIP_DEFLATED
    return info


def portable_arguments(arguments: Mapping[str, object]) -> UltralyticsArguments:
    """Arguments for `yolo train cfg=`, without this machine's paths."""
    values = {name: value for name, value in arguments.items() if name not in HERE}
    return values | {"model": Path(str(values.get("model"))).name, "data": "dataset.yaml"}


def request_of(row: Training, used: RunConfig) -> dict[str, object]:
    """The body for POST /api/trainings that creates the same training."""
    values = same_columns(row, used)
    body: dict[str, object] = {
        "name": values["name"],
        "dataset_id": values["dataset_id"],
        "epochs": values["epochs"],
        "batch_size": values["batch_size"],
        "img_size": values["img_size"],
        "params": values["params"],
    }
    body |= {"architecture": row.architecture} if row.architecture else {"model_version": row.model_version}
    if values["params"].get("optimizer", "auto") != "auto":
        body["learning_rate"] = row.learning_rate
    kind = values["start"].get("kind", "auto")
    start = {name: value for name, value in values["start"].items() if name != "kind"}
    return body | {"start": start if kind == "training" else kind}


def described(folder: Path) -> str:
    """The README's row about the weights in the bundle, which must be intact."""
    if is_intact(folder / "best.pt"):
        return "| `weights/best.pt` | the best weights |"
    if is_intact(folder / "last.pt"):
        return "| `weights/last.pt` | the last weights: best.pt is damaged or missing on the server |"
    return "| – | no weights: best.pt and last.pt are damaged or missing on the server |"


def readme(row: Training, dataset: Dataset, used: RunConfig, weights_row: str) -> str:
    """Instructions for repeating the run, in English; names are escaped so that they cannot change its layout."""
    versions, weights = used.get("versions") or {}, used.get("start_weights")
    start = "It starts from scratch."
    if weights:
        start = (
            f"It starts from `{harmless(weights['name'])}` (SHA-256 `{weights['sha256']}`): put that file beside it."
        )
    return README.format(
        id=row.id,
        name=harmless(row.name),
        weights=weights_row,
        version=__version__,
        dataset=harmless(dataset.name),
        images=dataset.total_images,
        revision=harmless(used.get("dataset_revision") or "unknown"),
        ultralytics=harmless(versions.get("ultralytics", "")),
        torch=harmless(str(versions.get("torch", "")).partition("+")[0]),
        start=start,
        seed=used.get("seed"),
        device=harmless(used.get("device") or ""),
    )


def harmless(text: Any) -> str:
    """A text on one line, with Markdown and HTML escaped."""
    visible = "".join(char if char.isprintable() else " " for char in str(text)[:300])
    return re.sub(r"([\\`*\[\]<>|!])", r"\\\1", visible)
