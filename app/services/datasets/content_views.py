"""Images and findings of a dataset's version for the API, in the reader's language."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.core.dataset_statistics import UsageSummary
from app.core.names import defused
from app.models import DatasetRevision
from app.services.datasets.finding_texts import fill_text, text_of
from app.services.datasets.read_models import (
    CodeView,
    FindingCountsView,
    FindingView,
    FindingWithTwin,
    FixCost,
    ImageAddress,
    ImageFigures,
    ImageView,
    LeftOut,
    Row,
    Summary,
)
from app.services.datasets.texts import EXCLUSION_TITLES, message_of


def image_view(row: Row, revision: DatasetRevision) -> ImageView:
    """An image as schemas.ImageOut."""
    return {**figures_of(row, revision), "findings": row["codes"]}


def address_of(row: Row, revision: DatasetRevision) -> ImageAddress:
    """Addresses with a hash of the content, so that responses can be cached permanently."""
    address = f"/api/datasets/{revision.dataset_id}/images/{row['id']}"
    query = f"?revision={revision.number}&v={row['sha256'][:16]}"
    return {
        "id": row["id"],
        "file": row["file"],
        "split": row["split"],
        "url": f"{address}/file{query}" if row["stored"] else None,
        "thumbnail": f"{address}/thumbnail{query}" if row["thumbnail"] else None,
    }


def figures_of(row: Row, revision: DatasetRevision) -> ImageFigures:
    """An image's size and objects, with its addresses."""
    return {
        **address_of(row, revision),
        "width": row["width"],
        "height": row["height"],
        "bytes": row["bytes"],
        "objects": row["objects"],
        "sharpness": row["sharpness"],
        "brightness": row["brightness"],
        "contrast": row["contrast"],
        "used": bool(row["usable"]),
        "group": row["group_id"],
        "original": row["original"] or row["file"],
        "source": row["source"],
    }


def with_twin(row: Row, twins: Mapping[str, Row], revision: DatasetRevision) -> FindingWithTwin:
    """A finding as schemas.FindingOut, with the related image."""
    twin = twins.get(row["data"].get("other"))
    return {**finding_view(row), "other": address_of(twin, revision) if twin else None}


def finding_view(row: Row) -> FindingView:
    """A finding in the reader's language."""
    text = text_of(row["code"])
    fixable = bool(row["fixable"])
    return {
        "id": row["id"],
        "severity": row["severity"],
        "code": row["code"],
        "file": row["file"],
        "line": row["line"],
        "image_id": row["image_id"],
        "image": row["image"],
        "title": str(text.title),
        "message": fill_text(text.message, row["data"]),
        "effect": fill_text(text.effect, row["data"]),
        "fix": str(text.fix) if text.fix and fixable else None,
        "fixable": fixable,
    }


def code_view(row: Row, costs: Mapping[str, FixCost]) -> CodeView:
    """A code with its counts, and the cost of its fix."""
    text = text_of(row["code"])
    return {
        "code": row["code"],
        "severity": row["severity"],
        "count": row["count"],
        "fixable": row["fixable"],
        "images": row["images"],
        "title": str(text.title),
        "fix": str(text.fix) if text.fix and row["fixable"] else None,
        "cost": cost_view(costs, row["code"]),
    }


def cost_view(costs: Mapping[str, FixCost], code: str) -> FixCost:
    """The cost of a code's fix: rows and images that it removes."""
    none: FixCost = {"rows": 0, "images": 0}
    return {**none, **costs.get(code, none)}


def counts(codes: list[Row]) -> FindingCountsView:
    """All findings by severity, and those with a fix. A code has one severity."""
    total = Counter[str]()
    for row in codes:
        total[row["severity"]] += row["count"]
    fixable = sum(row["fixable"] for row in codes)
    return {"error": total["error"], "warning": total["warning"], "info": total["info"], "fixable": fixable}


def summary_view(summary: UsageSummary) -> Summary:
    """A summary with a sentence for each reason."""
    reasons: list[LeftOut] = [
        {"code": code, "count": count, "message": message_of(EXCLUSION_TITLES, code, {})}
        for code, count in summary["left_out"].items()
    ]
    return {"used": summary["used"], "total": summary["total"], "left_out": reasons}


def line(cells: Any) -> str:
    """A line of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([defused(cell) for cell in cells])
    return buffer.getvalue()
