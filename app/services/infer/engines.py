"""Chooses the engine of a model: its weights in PyTorch, or a verified export that was measured to be faster here."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flask_babel import gettext as _
from sqlalchemy import select

from app.core.cpu import cpu_name
from app.core.image_size import rounded
from app.core.predict import EngineExport
from app.extensions import db
from app.jobs import JobStatus
from app.models import ModelExport, Training
from app.services.storage.hashed import hashed

if TYPE_CHECKING:
    from app.services.exports import ModelExports

OPENVINO = "openvino"
SAME = {"img_size", "half"}  # options with which an export answers as the .pt does


class Engines:
    """Finds exports.

    Args:
        exports: of models.
    """

    def __init__(self, exports: "ModelExports") -> None:
        self.exports = exports

    def fastest_export(self, training_id: int, weights: Path) -> EngineExport | None:
        """The fastest export to OpenVINO that was proven and measured to be faster than these weights, as the program
        `predict` takes it; None: there is none."""
        training = db.session.get(Training, training_id)
        rows = [] if training is None else [row for row in self.candidates(training) if answers_as(row, training)]
        if training is None or not rows:
            return None
        try:
            sha256 = hashed(weights)
        except OSError:  # gone meanwhile: the program says so
            return None
        fitting = [row for row in rows if row.weights_sha256 == sha256]
        if not fitting:
            return None
        figure = shared_figure(fitting)
        best = min(fitting, key=lambda row: latency(row, figure))
        return {
            "folder": str(self.exports.files.folder(best) / best.details["model"]),
            "files": files_of(best),
            "task": training.task,
            "img_size": best.arguments["img_size"],
            "precision": "bf16" if in_bfloat16(best, figure) else "f32",
        }

    def candidates(self, training: Training) -> Iterator[ModelExport]:
        """Those that are offered."""
        mine = (ModelExport.training_id == training.id) & (ModelExport.format == OPENVINO)
        yield from db.session.scalars(select(ModelExport).where(mine, ModelExport.status == JobStatus.COMPLETED))


def answers_as(row: ModelExport, training: Training) -> bool:
    """Whether it detects what the .pt detects, at the same thresholds, and faster."""
    told = row.verification or {}
    if not told or set(row.arguments) - SAME or row.arguments["img_size"] != rounded(training.img_size):
        return False
    if told.get("conclusive") is False or (told.get("at_threshold") or {}).get("moved") or not files_of(row):
        return False
    figure = shared_figure([row])
    return latency(row, figure) < told["reference"]["latency_ms"][figure]


def files_of(row: ModelExport) -> dict[str, str]:
    """SHA-256 of the files of its model, by their names; none of exports from before these were written down."""
    prefix = f"{row.details['model']}/"
    known = row.details.get("sha256") or {}
    return {name.removeprefix(prefix): sha256 for name, sha256 in known.items() if name.startswith(prefix)}


def shared_figure(rows: Sequence[ModelExport]) -> str:
    """What is compared, the same of all: the quickest image, as each was measured after the other, and other work may
    have slowed either; exports from before it was written down have the median alone."""
    return "least" if all("least" in times for row in rows for times in times_of(row)) else "p50"


def times_of(row: ModelExport) -> list[Mapping[str, float]]:
    """All latencies of an export and of its reference, ms."""
    told = row.verification or {}
    times = [told["latency_ms"], told["reference"]["latency_ms"]]
    return times + ([row.details["bfloat16"]["latency_ms"]] if row.details.get("bfloat16") else [])


def in_bfloat16(row: ModelExport, figure: str) -> float | None:
    """The latency in bfloat16, where it was verified so and is faster; another CPU may round otherwise."""
    told, exact = row.details.get("bfloat16"), (row.verification or {})["latency_ms"][figure]
    if not told or told["cpu"] != cpu_name() or told["latency_ms"][figure] >= exact:
        return None
    return float(told["latency_ms"][figure])


def latency(row: ModelExport, figure: str) -> float:
    """Of the model alone as it would run here, ms."""
    return in_bfloat16(row, figure) or float((row.verification or {})["latency_ms"][figure])


def fallback_text(code: str | None) -> str | None:
    """Why PyTorch ran although there is a faster export; None: it did not."""
    if code is None:
        return None
    texts = {
        "missing": _("The files of the OpenVINO export are missing, so PyTorch was used. Export the model again."),
        "damaged": _("The OpenVINO export is damaged, so PyTorch was used. Export the model again."),
    }
    return texts.get(code) or _("The OpenVINO export can't be loaded, so PyTorch was used. Export the model again.")
