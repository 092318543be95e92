"""Filters the images of an evaluation by their outcomes."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from flask_babel import gettext as _

from app.core.outcome_files import outcomes_of
from app.core.outcomes import KINDS, SIZES, ImageResult, Outcome, size_of, unpack
from app.errors import Unprocessable
from app.schemas.evaluation_contents import OutcomeQueryValues
from app.services.evaluations.read_models import (
    Cell,
    DetectionOutcomeView,
    EvaluatedImageView,
    ObjectGeometry,
    ObjectOutcomeView,
)

ORDERS = {
    "errors": "image.errors",
    "file": "image.id",
    "confidence": "hit.confidence",
    "iou": "hit.iou",
    "hits": "hit.hits",
}


def refuse_class(field: str, name: str) -> Unprocessable:
    problem = _("The model has no class “%(name)s”.", name=name)
    return Unprocessable(problem, [{"field": field, "message": str(problem)}])


class Filter:
    """A query for objects and detections, as a condition of the table `item`.

    Args:
        query: as OutcomeQuery loads it. names: the model's classes.

    Raises:
        Unprocessable: the model has no such class.
    """

    def __init__(self, query: OutcomeQueryValues, names: Sequence[str]) -> None:
        self.names, self.parts, self.values = names, [], []  # type: tuple[Sequence[str], list[str], list[Any]]
        if query.get("kind"):
            self.add("kind = ?", KINDS.index(query["kind"]))
        if query.get("size"):
            self.add("size = ?", SIZES.index(query["size"]))
        if (name := query.get("class")) is not None:
            number = self.number("class", name)
            self.add("(actual = ? OR predicted = ?)", number, number)
        for field, name in (("actual", query.get("actual")), ("predicted", query.get("predicted"))):
            if name == "":
                self.add(f"{field} IS NULL")
            elif name is not None:
                self.add(f"{field} = ?", self.number(field, name))

    def add(self, part: str, *values: Any) -> None:
        self.parts.append(part)
        self.values += values

    def number(self, field: str, name: str) -> int:
        if name not in self.names:
            raise refuse_class(field, name)
        return self.names.index(name)

    @property
    def where(self) -> str:
        return f" WHERE {' AND '.join(self.parts)}" if self.parts else ""


class Browser:
    """Reads a view.

    Args:
        connection: see EvaluationFiles.opened. names: the model's classes.
    """

    def __init__(self, connection: sqlite3.Connection, names: Sequence[str], confidence: float, iou: float) -> None:
        self.connection, self.names = connection, names
        self.confidence, self.iou = confidence, iou

    def matrix(self) -> list[Cell]:
        """The non-empty cells; None is the background."""
        counted = "SELECT actual, predicted, COUNT(*) FROM item GROUP BY actual, predicted ORDER BY actual, predicted"
        return [
            {"actual": self.name(actual), "predicted": self.name(predicted), "count": count}
            for actual, predicted, count in self.connection.execute(counted)
        ]

    def counts(self) -> dict[str, int]:
        """The number of outcomes of each kind."""
        counts = dict(self.connection.execute("SELECT kind, COUNT(*) FROM item GROUP BY kind").fetchall())
        return {kind: counts.get(number, 0) for number, kind in enumerate(KINDS)}

    def name(self, number: int | None) -> str | None:
        return None if number is None else self.names[number]

    def page(self, query: OutcomeQueryValues) -> tuple[list[EvaluatedImageView], int]:
        """A page of images as schemas.EvaluatedImage, and their total number."""
        selection = Filter(query, self.names)
        key, way = query["sort"].lstrip("-"), "DESC" if query["sort"].startswith("-") else "ASC"
        hits = (
            f"SELECT image_id, COUNT(*) AS hits, {'MIN' if way == 'ASC' else 'MAX'}(confidence) AS confidence, "  # noqa: S608
            f"MIN(iou) AS iou FROM item{selection.where} GROUP BY image_id"
        )
        join = "JOIN" if selection.parts else "LEFT JOIN"
        tables = f"image {join} ({hits}) AS hit ON hit.image_id = image.id"
        named, values = "", list(selection.values)
        if query.get("search"):
            named = " WHERE INSTR(LOWER(image.file), LOWER(?))"
            values.append(query["search"])
        total = self.connection.execute(f"SELECT COUNT(*) FROM {tables}{named}", values).fetchone()[0]  # noqa: S608
        order = f"{ORDERS[key]} IS NULL, {ORDERS[key]} {way}, image.id"
        size = query["per_page"]
        rows = self.connection.execute(
            f"SELECT image.id FROM {tables}{named} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            [*values, size, (query["page"] - 1) * size],
        )
        return self.images([row[0] for row in rows.fetchall()]), total

    def images(self, ids: Sequence[int]) -> list[EvaluatedImageView]:
        """These images, in this order."""
        marks = ",".join("?" * len(ids))
        rows = self.connection.execute(
            "SELECT id, file, width, height, seen FROM seen.image "  # noqa: S608
            f"WHERE id IN ({marks})",
            ids,
        )
        views = {row["id"]: self.image(row) for row in rows}
        return [views[number] for number in ids]

    def image(self, row: sqlite3.Row) -> EvaluatedImageView:
        result = unpack(row["seen"])
        outcomes = outcomes_of(result, self.confidence, self.iou)
        return {
            "id": row["id"],
            "file": row["file"],
            "width": row["width"] or None,
            "height": row["height"] or None,
            "errors": sum(outcome.kind != "correct" for outcome in outcomes),
            "objects": self.objects(result, outcomes),
            "detections": self.detections(result, outcomes),
        }

    def objects(self, result: ImageResult, outcomes: Sequence[Outcome]) -> list[ObjectOutcomeView]:
        mine = {outcome.object: outcome for outcome in outcomes if outcome.object >= 0}
        return [
            {
                "class": self.names[kind],
                "kind": mine[number].kind,
                "size": size_of(result.object_corners[number]),
                "detection": mine[number].detection if mine[number].detection >= 0 else None,
                "iou": mine[number].iou,
                **geometry_of(result.object_corners[number]),
            }
            for number, kind in enumerate(result.objects)
        ]

    def detections(self, result: ImageResult, outcomes: Sequence[Outcome]) -> list[DetectionOutcomeView]:
        """For classification, the top classes; only the first has an outcome."""
        mine = {outcome.detection: outcome for outcome in outcomes if outcome.detection >= 0}
        classification = bool(result.objects) and not result.object_corners[0]
        numbers = range(len(result.detections)) if classification else sorted(mine)
        return [
            {
                "class": self.names[result.detections[number]],
                "confidence": result.confidences[number],
                "kind": mine[number].kind if number in mine else None,
                "object": mine[number].object if number in mine and mine[number].object >= 0 else None,
                "iou": mine[number].iou if number in mine else None,
                **geometry_of(result.detection_corners[number]),
            }
            for number in numbers
        ]


def geometry_of(corners: Sequence[float]) -> ObjectGeometry:
    """`box` [x1, y1, x2, y2], or `corners` of an oriented box, in pixels; empty for a class of the entire image."""
    values = [round(value, 1) for value in corners]
    if len(values) == 4:
        return {"box": values}
    return {"corners": [list(pair) for pair in zip(values[::2], values[1::2], strict=True)]} if values else {}
