"""results.csv as ultralytics writes it, read so that a damaged file costs nothing but itself."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Cell = int | float | str | None

# Of detection; other tasks add (M) or (P), or have accuracies alone.
MEASURES = {
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
    "metrics/mAP50(B)": "map50",
    "metrics/mAP50-95(B)": "map95",
    "metrics/accuracy_top1": "map50",
    "lr/pg0": "learning_rate",
}
MOST_BYTES = 64 * 1024**2  # some 100,000 epochs


class Damaged(ValueError):
    """It is no table of epochs."""


def read(path: Path) -> tuple[list[str], list[list[Cell]]]:
    """(columns, rows): the rows that are whole, each epoch once, in order.

    Raises:
        FileNotFoundError: it is not there. Damaged: no row of it can be read, or some cannot.
    """
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES)
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Damaged(str(error)) from error
    table = [[cell.strip() for cell in line] for line in lines if line]
    if not table or table[0][:1] != ["epoch"]:
        raise Damaged("no header")
    columns, *rows = table
    whole = {row[0]: [number(cell) for cell in row] for row in rows if len(row) == len(columns) and row[0].isdecimal()}
    if len(whole) < len(rows) and not (len(whole) == len(rows) - 1 and len(rows[-1]) < len(columns)):
        raise Damaged("rows are cut or twice there")  # one that is being written now is not
    return columns, [whole[key] for key in sorted(whole, key=int)]


def number(cell: str) -> Cell:
    """A cell as JSON has it: numbers as such, nothing for what JSON cannot hold."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    if not math.isfinite(value):
        return None
    return int(value) if cell.lstrip("-").isdigit() and len(cell) < 16 else value


def measures(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(epoch, columns of TrainingMetric) of each row; nothing where it cannot be read."""
    try:
        columns, rows = read(path)
    except (OSError, Damaged):
        return
    for row in rows:
        values = {name: value for name, value in zip(columns, row, strict=True) if isinstance(value, int | float)}
        found = {ours: float(values[name]) for name, ours in MEASURES.items() if name in values}
        parts = {name: float(value) for name, value in values.items() if name.startswith(("train/", "val/"))}
        for ours, prefix in (("loss", "train/"), ("val_loss", "val/")):
            terms = [value for name, value in parts.items() if name.startswith(prefix)]
            found |= {ours: sum(terms)} if terms else {}
        yield int(row[0] or 0), found | {"parts": parts}
