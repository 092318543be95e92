"""Restores a training's rows from its folder: about.json, its events, results.csv."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _

from app.core.train import TrainingStart
from app.events import Cancelled, CheckpointSaved, Completed, Envelope, Epoch, Event, Failed, Note, Started, read_events
from app.jobs.process import find_child
from app.models import Checkpoint, Dataset, DatasetStatus, Evaluation, Test, Training, TrainingMetric, TrainingStatus
from app.services import about
from app.services.trainer import checkpoints, present, results
from app.services.trainer.record import record
from app.services.trainer.record import redact as without_paths
from app.services.trainer.transitions import leave_as

if TYPE_CHECKING:
    from app.services.installation.adopt import Numbers

logger = logging.getLogger("yolo.installation")

DURABLE_EVENTS = (Started, Epoch, CheckpointSaved, Note)  # events that become rows; progress and figures do not
COLUMNS = ("task", "model_version", "architecture", "epochs", "batch_size", "img_size", "params")


class NoTraining(Exception):
    """The folder does not contain what was trained."""


def training_rows(session: Any, folder: Path, number: int, numbers: "Numbers") -> None:
    """Restore the rows of a training from its folder.

    Raises:
        NoTraining: neither about.json nor a child's spec can be read.
    """
    description = about.read(folder, "training").get("row", {})
    spec = newest_spec(folder)
    if not description and not spec:
        raise NoTraining("no about.json and no spec.json")
    values = {**columns_of(spec), **about.columns(Training, description, "id", "dataset_id", "seq", "notes", "status")}
    row = Training(**{"name": _("Run %(id)s", id=number), "created_at": created(folder), **values})
    row.id, row.status, row.seq, row.notes = number, TrainingStatus.RUNNING, 0, []
    row.start_time = row.start_time or created(folder)
    row.dataset_id = dataset_of(session, description, spec, numbers)
    row.start = start_of(row.start, numbers)
    row.total_epochs = row.total_epochs or row.epochs
    row.resume_from, row.event_seq, row.event_offset = None, 0, 0
    session.add(row)
    session.flush()
    last = replay(row, folder)
    if not (row.status == TrainingStatus.RUNNING and still_runs(row, folder)):
        from_results(session, row, folder)
        conclude(row, folder, last)
    evaluation_rows(session, row, folder, numbers)


def newest_spec(folder: Path) -> Mapping[str, object]:
    """The newest readable spec."""
    for attempt in reversed(attempts(folder)):
        try:
            spec = json.loads((folder / "attempts" / str(attempt) / "spec.json").read_bytes())
            if not isinstance(spec, dict):
                raise ValueError("no object")
            columns_of(spec)
            return spec
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return {}


def attempts(folder: Path) -> list[int]:
    names = os.listdir(folder / "attempts") if (folder / "attempts").is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal())


def columns_of(spec: Mapping[str, object]) -> dict[str, object]:
    """The columns of a training in its child's spec.

    Raises:
        KeyError: it is not a training's spec.
        ValueError: the same.
        TypeError: the same.
    """
    if not spec:
        return {}
    values = about.columns(Training, {name: spec[name] for name in COLUMNS})
    start, rate = spec["start"], spec["learning_rate"]
    if not isinstance(start, dict) or not isinstance(rate, int | float | None):
        raise TypeError("no start, or no learning rate")
    values["start"] = {name: value for name, value in start.items() if name != "path"}
    return values if rate is None else {**values, "learning_rate": float(rate)}


def dataset_of(session: Any, description: Mapping[str, object], spec: Mapping[str, object], numbers: "Numbers") -> int:
    """The present id of its dataset; if that is missing, of a placeholder row."""
    old = id_in(description, "dataset_id") or dataset_in(str(spec.get("data", "")))
    dataset_id = numbers.of("dataset", old) if old else None
    if dataset_id is not None and session.get(Dataset, dataset_id) is not None:
        return dataset_id
    name = _("Dataset %(id)s", id=old or "?")
    missing = Dataset(name=name, status=DatasetStatus.INVALID, report={"reason": {"code": "files_missing", "data": {}}})
    if old and not numbers.foreign and session.get(Dataset, old) is None:
        missing.id = old
    session.add(missing)
    session.flush()
    if old:
        numbers.assigned["dataset"][old] = missing.id
    return missing.id


def dataset_in(path: str) -> int | None:
    """The id in .../datasets/5/revisions/2/dataset.yaml."""
    parts = Path(path).parts
    index = len(parts) - 1 - parts[::-1].index("datasets") if "datasets" in parts else len(parts)
    return int(parts[index + 1]) if index + 1 < len(parts) and parts[index + 1].isdecimal() else None


def start_of(start: TrainingStart | None, numbers: "Numbers") -> TrainingStart:
    """Its initial weights, by present ids."""
    if start and start.get("kind") == "training":
        number = numbers.of("training", start["training_id"]) or start["training_id"]
        return {**start, "training_id": number}
    return start or {"kind": "auto"}


def replay(row: Training, folder: Path) -> Event | None:
    """Apply the durable events of each attempt in order, and the ending of the last one; returns the last event."""
    folders, last = attempts(folder), None
    for attempt in folders:
        row.attempt = attempt
        for offset, envelope in recorded_events(folder / "attempts" / str(attempt)):
            if isinstance(envelope.event, DURABLE_EVENTS) or (attempt == folders[-1] and ends(envelope.event)):
                record(envelope.event, row, envelope.time)
            row.event_seq, row.event_offset, last = envelope.seq, offset, envelope.event
    row.log_path = f"models/{row.id}/attempts/{row.attempt}/worker.log" if folders else None
    return last


def recorded_events(directory: Path) -> Iterator[tuple[int, Envelope]]:
    """Its events, up to the first unreadable one."""
    try:
        yield from read_events(directory)
    except (OSError, ValueError):
        return


def ends(event: Event) -> bool:
    return isinstance(event, Completed | Cancelled)  # other endings are derived from the files, see conclude


def still_runs(row: Training, folder: Path) -> bool:
    """Whether its process still runs: the server then supervises it again."""
    return bool(row.attempt) and find_child(folder / "attempts" / str(row.attempt)) is not None


def from_results(session: Any, row: Training, folder: Path) -> None:
    """Add the epochs of results.csv that are missing in the events."""
    have = {item.epoch for item in session.query(TrainingMetric).filter_by(training_id=row.id)}
    for epoch, measures in results.measures(folder / "run" / "results.csv"):
        if epoch not in have:
            session.add(TrainingMetric(training_id=row.id, epoch=epoch, **measures))
            row.current_epoch = max(row.current_epoch, epoch)
    best = folder / "run" / "weights" / "best.pt"
    if best.is_file() and not session.query(Checkpoint).filter_by(training_id=row.id, is_best=True).count():
        path = f"models/{row.id}/run/weights/best.pt"
        session.add(
            Checkpoint(
                training_id=row.id,
                epoch=row.current_epoch,
                model_path=path,
                is_best=True,
                resumable=False,
                size_bytes=best.stat().st_size,
            )
        )


def evaluation_rows(session: Any, row: Training, folder: Path, numbers: "Numbers") -> None:
    """Restore completed evaluations; a folder that cannot be identified is left alone."""
    for path in sorted((folder / "evaluations").glob("*/")):
        description = about.read(path, "evaluation").get("row", {})
        if description.get("token") != path.name or session.query(Evaluation).filter_by(token=path.name).count():
            continue
        try:
            dataset_id = numbers.of("dataset", id_in(description, "dataset_id"))
            if dataset_id is not None and session.get(Dataset, dataset_id) is None:
                dataset_id = None
            values = about.columns(Evaluation, description, "id", "training_id", "dataset_id", "job_id")
        except (ValueError, TypeError) as error:
            logger.warning("%s could not be adopted: %s", path, error)
            continue
        if isinstance(values.get("result"), dict) and all(map(values.get, ("split", "checkpoint", "img_size"))):
            session.add(Evaluation(**values, training_id=row.id, dataset_id=dataset_id))


def id_in(description: Mapping[str, object], name: str) -> int:
    """An id in about.json; 0, which no row has, if it is missing."""
    value = description.get(name)
    return value if isinstance(value, int) else 0


def conclude(row: Training, folder: Path, last: Event | None) -> None:
    """End a training without a recorded ending: failed by its last event, completed if all epochs are done, otherwise
    paused if it can be resumed.
    """
    weights, checkpoint = present.weights(folder), checkpoints.newest(folder)
    model = f"models/{row.id}/{weights.relative_to(folder).as_posix()}" if weights else None
    if row.status != TrainingStatus.RUNNING:  # the ending was recorded; its path gets the present id
        row.model_path = model
        return
    if isinstance(last, Failed):
        why = {"error": without_paths(row, last.error), "error_kind": last.kind[:20]}
        leave_as(row, TrainingStatus.FAILED, end_time=created(folder), model_path=model, **why)
        return
    if checkpoint and row.current_epoch < (row.total_epochs or 0):
        leave_as(row, TrainingStatus.PAUSED, resume_from=checkpoint.path, pause_reason="asked")
        return
    completed = weights is not None and row.current_epoch >= (row.total_epochs or 0) > 0
    status = TrainingStatus.COMPLETED if completed else TrainingStatus.CANCELLED
    leave_as(row, status, end_time=created(folder), model_path=model)


def created(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def test_rows(session: Any, folder: Path, number: int, numbers: "Numbers") -> None:
    """Restore the row of a test from its folder.

    Raises:
        NoTraining: it does not name the tested training.
    """
    description = about.read(folder, "test").get("row", {})
    training_id = numbers.of("training", id_in(description, "training_id"))
    if training_id is None or session.get(Training, training_id) is None:
        raise NoTraining("the training that was tested is not known")
    values = about.columns(Test, description, "id", "training_id")
    image = Path(str(values.pop("image_path", None) or "input_image.jpg")).name
    session.add(Test(**values, id=number, training_id=training_id, image_path=f"tests/{number}/{image}"))
