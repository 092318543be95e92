"""Resumes from a checkpoint: selects it, and rewinds the folder to its epoch."""

import csv
import io
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from app.core.files import atomic_write
from app.core.numbers import is_number
from app.core.train import TrainSpec, UltralyticsArguments
from app.events import Note
from app.worker.channel import Channel
from app.worker.checkpoints import copies, drop_after
from app.worker.failures import StopRequested, WeightsError, sentence
from app.worker.weights import check_archive

Table = tuple[list[str], dict[str, list[str]]]  # names, rows by epoch


class StopperState(TypedDict, total=False):
    """Of ultralytics' early stopping: the best epoch so far, from 1."""

    best_epoch: int


class CheckpointFile(TypedDict, total=False):
    """The checkpoint that ultralytics saves after an epoch (from 0), as far as it is read here.

    `train_results`: the columns of results.csv; `train_metrics`: metrics by ultralytics' names; `trained_epoch`: the
    epoch of a stripped file, see upstream.py.
    """

    epoch: int
    train_args: UltralyticsArguments
    optimizer: Any
    ema: Any
    stopper: StopperState
    train_results: Mapping[str, Sequence[float]]
    train_metrics: Mapping[str, float | None]
    trained_epoch: int | None


@dataclass(frozen=True)
class Resume:
    """An intact checkpoint, with the arguments of its training."""

    path: Path
    arguments: UltralyticsArguments


@dataclass(frozen=True)
class Best:
    """The contents of best.pt: its epoch (from 1), and its metrics by ultralytics' names."""

    epoch: int
    measures: Mapping[str, float | None]

    @property
    def fitness(self) -> float:
        return float(self.measures.get("fitness") or 0.0)


def find_resume(channel: Channel, spec: TrainSpec) -> Resume | None:
    """The checkpoint named in the spec, or the newest older one that is intact; None: from the start."""
    for path in candidates(spec.folder, spec.resume):
        try:
            return Resume(path, read_checkpoint(path)["train_args"])
        except WeightsError as error:
            channel.emit(
                Note("resume_rejected", {"path": f"{path.parent.name}/{path.name}", "reason": sentence(error)})
            )
    return None


def candidates(folder: Path, requested: str | None) -> Iterator[Path]:
    """The requested checkpoint, then the older copies, newest first."""
    if not requested:
        return
    yield Path(requested)
    numbers = {path: number for number, path in copies(folder).items()}
    limit = numbers.pop(Path(requested), None)
    for path, number in sorted(numbers.items(), key=lambda item: -item[1]):
        if limit is None or number < limit:
            yield path


def read_checkpoint(path: Path) -> CheckpointFile:
    """A checkpoint with everything that resuming needs; every byte of the file was verified.

    Raises:
        WeightsError: it is damaged, or lacks optimizer or epoch.
    """
    from ultralytics.nn.tasks import load_checkpoint

    if not path.is_file():
        raise WeightsError("the file is missing")
    check_archive(path)
    try:
        _, checkpoint = load_checkpoint(path)  # ULTRALYTICS_SAFE_LOAD=1: allowed classes only, nothing is executed
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise WeightsError(f"the file cannot be loaded: {sentence(error)}") from error
    if checkpoint.get("epoch", -1) < 0 or not checkpoint.get("optimizer") or not checkpoint.get("ema"):
        raise WeightsError("the file holds no optimizer: a training cannot go on from it")
    return checkpoint


def restore_files(folder: Path, source: Path, checkpoint: CheckpointFile) -> Best:
    """Reset the run's folder to the checkpoint's epoch. Returns the present contents of best.pt.

    last.pt becomes the checkpoint, since ultralytics returns to it after a NaN; later copies are deleted. An intact
    best.pt stays, even from a later epoch that will be repeated: good weights are not discarded.
    """
    weights = folder / "run" / "weights"
    completed = int(checkpoint["epoch"]) + 1
    atomic_write(weights / "last.pt", lambda draft: shutil.copyfile(source, draft))
    best = read_best(weights / "best.pt", checkpoint)
    if best is None:
        number = int(checkpoint["stopper"]["best_epoch"])
        origin = copies(folder).get(number, source)
        atomic_write(weights / "best.pt", lambda draft: shutil.copyfile(origin, draft))
        best = read_best(weights / "best.pt", checkpoint) or Best(completed, {})
    drop_after(folder, completed)
    return best


def read_best(path: Path, checkpoint: CheckpointFile) -> Best | None:
    """The contents of best.pt; None if it is missing or damaged."""
    from ultralytics.utils.patches import torch_load

    from app.worker.upstream import trained_epoch

    try:
        check_archive(path)
        best = torch_load(path, map_location="cpu")
        epoch = trained_epoch(best)
    except (MemoryError, StopRequested):
        raise
    except Exception:  # from a damaged pickle
        return None
    number = int(checkpoint["stopper"]["best_epoch"]) if epoch is None else epoch + 1
    return Best(number, best.get("train_metrics") or {})


def cut_results(path: Path, completed: int, losses: Mapping[str, Sequence[float]]) -> list[float]:
    """Truncate results.csv to epochs 1 to `completed`, each once. Returns the end time of each, in seconds of the run.

    `losses`: the checkpoint's own table, for an incomplete or damaged file. A row truncated by a crash is dropped. If
    nothing can be read, the file is set aside, and ultralytics starts a new one.
    """
    header, rows = read_table(path)
    epochs = [str(number) for number in range(1, completed + 1)]
    if not set(epochs) <= rows.keys() and (table := table_of(losses)):
        header, rows = table
    remaining = [rows[number] for number in epochs if number in rows]
    if remaining:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *remaining])
        atomic_write(path, lambda draft: draft.write_text(text.getvalue(), encoding="utf-8"))
    elif path.exists():
        os.replace(path, path.with_name(f"{path.name}-{time.strftime('%Y%m%d-%H%M%S')}-0000.damaged"))
    return [float(row[header.index("time")]) for row in remaining]


def table_of(losses: Mapping[str, Sequence[float]]) -> Table | None:
    """The checkpoint's own table; None if it has none."""
    try:
        table = [[f"{value:.6g}" for value in row] for row in zip(*losses.values(), strict=True)]
    except (TypeError, ValueError, AttributeError):  # saved while the file was damaged
        return None
    return complete_rows(list(losses), table) if table else None


def read_table(path: Path) -> Table:
    """(names, complete rows by epoch); of a repeated epoch, the last. Empty if it is not such a table."""
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (FileNotFoundError, UnicodeDecodeError, csv.Error):
        return [], {}
    header = [name.strip() for name in lines[0]] if lines else []
    return complete_rows(header, lines[1:])


def complete_rows(header: list[str], lines: list[list[str]]) -> Table:
    """The rows with a number in each column."""
    if not {"epoch", "time"} <= set(header) or header[0] != "epoch":
        return [], {}
    return header, {line[0].strip(): line for line in lines if len(line) == len(header) and all(map(is_number, line))}
