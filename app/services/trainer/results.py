"""Parses ultralytics' results.csv, which may be damaged."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.core.metrics import REPORTED
from app.models import TrainingMetric

Cell = int | float | str | None

# For detection; other tasks add (M) or (P), or have only accuracies.
MEASURES = {f"metrics/{name}(B)": key for key, name in REPORTED.items()} | {
    "metrics/accuracy_top1": "map50",
    "lr/pg0": "learning_rate",
}
MOST_BYTES = 64 * 1024**2  # some 100,000 epochs


class DamagedResults(ValueError):
    """The file is not a table of epochs."""


def read(path: Path) -> tuple[list[str], list[list[Cell]]]:
    """(columns, rows): the complete rows, each epoch once, in order.

    Raises:
        FileNotFoundError: it is missing.
        DamagedResults: no row of it can be read, or some cannot.
    """
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES)
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DamagedResults(str(error)) from error
    table = [[cell.strip() for cell in line] for line in lines if line]
    if not table or table[0][:1] != ["epoch"]:
        raise DamagedResults("no header")
    columns, *rows = table
    complete = {
        row[0]: [number(cell) for cell in row] for row in rows if len(row) == len(columns) and row[0].isdecimal()
    }
    if len(complete) < len(rows) and not (len(complete) == len(rows) - 1 and len(rows[-1]) < len(columns)):
        raise DamagedResults("rows are cut or twice there")  # except for a last row that is being written
    return columns, [complete[key] for key in sorted(complete, key=int)]


def number(cell: str) -> Cell:
    """A cell as a JSON value: numbers, None for what JSON cannot represent."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    if not math.isfinite(value):
        return None
    return int(value) if cell.lstrip("-").isdigit() and len(cell) < 16 else value


def measures(path: Path) -> Iterator[tuple[int, dict[str, float | dict[str, float]]]]:
    """(epoch, columns of TrainingMetric) of each row; empty if it cannot be read."""
    try:
        columns, rows = read(path)
    except (OSError, DamagedResults):
        return
    for row in rows:
        values = {name: value for name, value in zip(columns, row, strict=True) if isinstance(value, int | float)}
        metrics = {ours: float(values[name]) for name, ours in MEASURES.items() if name in values}
        parts = {name: float(value) for name, value in values.items() if name.startswith(("train/", "val/"))}
        for ours, prefix in (("loss", "train/"), ("val_loss", "val/")):
            terms = [value for name, value in parts.items() if name.startswith(prefix)]
            metrics |= {ours: sum(terms)} if terms else {}
        yield int(row[0] or 0), metrics | {"parts": parts}


def recorded_table(epochs: Sequence[TrainingMetric]) -> tuple[list[str], list[list[Cell]]]:
    """The table from the database, with ultralytics' names."""
    parts = list(dict.fromkeys(name for item in epochs for name in item.parts or {}))
    measures = {name: ours for name, ours in MEASURES.items() if ours != "learning_rate" and not name.endswith("top1")}
    rows: list[list[Cell]] = []
    time = 0.0
    for item in epochs:
        time += item.seconds or 0.0
        measured = [getattr(item, ours) for ours in measures.values()]
        rows.append(
            [
                item.epoch,
                round(time, 3),
                *((item.parts or {}).get(name) for name in parts),
                *measured,
                item.learning_rate,
            ]
        )
    return ["epoch", "time", *parts, *measures, "lr/pg0"], rows


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()
