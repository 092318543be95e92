"""Pages of objects and detections that are likely label errors."""

import sqlite3
from collections.abc import Sequence

from app.core.label_errors import KINDS
from app.core.outcomes import ImageResult, unpack
from app.schemas.evaluation_contents import SuspectQueryValues
from app.services.evaluations.browse import geometry_of
from app.services.evaluations.read_models import SuspectObject, UnaddressedSuspect


class LabelErrors:
    """Reads the suspects.

    Args:
        connection: see EvaluationFiles.opened_suspects. names: the model's classes.
    """

    def __init__(self, connection: sqlite3.Connection, names: Sequence[str]) -> None:
        self.connection, self.names = connection, names

    def counts(self) -> dict[str, int]:
        """The number of suspects of each kind."""
        counts = dict(self.connection.execute("SELECT kind, COUNT(*) FROM suspect GROUP BY kind").fetchall())
        return {kind: counts.get(number, 0) for number, kind in enumerate(KINDS)}

    def page(self, query: SuspectQueryValues) -> tuple[list[UnaddressedSuspect], int]:
        """A page of suspects as schemas.SuspectOut, and their total number."""
        kind = query.get("kind")
        where, values = (" WHERE kind = ?", [KINDS.index(kind)]) if kind else ("", [])
        total = self.connection.execute(f"SELECT COUNT(*) FROM suspect{where}", values).fetchone()[0]  # noqa: S608
        size = query["per_page"]
        rows = self.connection.execute(
            "SELECT suspect.id AS rank, kind, score, object, detection, image.id, file, width, height, seen "  # noqa: S608
            f"FROM suspect JOIN seen.image AS image ON image.id = suspect.image_id{where} "
            "ORDER BY suspect.id LIMIT ? OFFSET ?",
            [*values, size, (query["page"] - 1) * size],
        )
        return [self.suspect(row) for row in rows.fetchall()], total

    def suspect(self, row: sqlite3.Row) -> UnaddressedSuspect:
        result = unpack(row["seen"])
        return {
            "rank": row["rank"],
            "kind": KINDS[row["kind"]],
            "score": row["score"],
            "image": {
                "id": row["id"],
                "file": row["file"],
                "width": row["width"] or None,
                "height": row["height"] or None,
            },
            "object": self.object(result, row["object"]),
            "detection": self.detection(result, row["detection"]),
            "iou": iou_of(result, row["detection"], row["object"]),
        }

    def object(self, result: ImageResult, number: int) -> SuspectObject | None:
        if number < 0:
            return None
        return {"class": self.names[result.objects[number]], **geometry_of(result.object_corners[number])}

    def detection(self, result: ImageResult, number: int) -> SuspectObject | None:
        if number < 0:
            return None
        return {
            "class": self.names[result.detections[number]],
            "confidence": result.confidences[number],
            **geometry_of(result.detection_corners[number]),
        }


def iou_of(result: ImageResult, detection: int, object_index: int) -> float | None:
    """The IoU of a detection and an object; None if one is missing or they do not overlap."""
    return next((iou for one, other, iou in result.overlaps if (one, other) == (detection, object_index)), None)
