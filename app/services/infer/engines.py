"""Chooses the engine of a model: its weights in PyTorch, or a verified export that was measured to be faster here."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flask_babel import gettext as _
from sqlalchemy import select

from app.core.cpu import cpu_name
from app.core.exports import ANSWERING, BFLOAT16, EXACT, OPENVINO, PYTORCH, RunTimes
from app.core.image_size import rounded
from app.core.predict import EngineExport
from app.extensions import db
from app.jobs import JobStatus
from app.models import ModelExport, Training
from app.services.storage.hashed import hash_file

if TYPE_CHECKING:
    from app.services.exports import ModelExports


class Engines:
    """Finds exports.

    Args:
        exports: of models.
    """

    def __init__(self, exports: "ModelExports") -> None:
        self.exports = exports

    def fastest_export(self, training_id: int, weights: Path) -> EngineExport | None:
        """The fastest export to OpenVINO that is verified and measured to be faster than these weights, for the program
        `predict`; None: there is none.
        """
        training = db.session.get(Training, training_id)
        rows = [] if training is None else [row for row in self.candidates(training) if answers_as(row, training)]
        if training is None or not rows:
            return None
        try:
            sha256 = hash_file(weights)
        except OSError:  # deleted meanwhile; the program reports it
            return None
        fitting = [row for row in rows if row.weights_sha256 == sha256]
        if not fitting:
            return None
        best = min(fitting, key=lambda row: min(ratios(row).values()))
        times = ratios(best)
        return {
            "folder": str(self.exports.files.folder(best) / best.details["model"]),
            "files": files_of(best),
            "task": training.task,
            "img_size": best.arguments["img_size"],
            "precision": min(times, key=lambda precision: times[precision]),
        }

    def candidates(self, training: Training) -> Iterator[ModelExport]:
        """The completed exports."""
        mine = (ModelExport.training_id == training.id) & (ModelExport.format == OPENVINO)
        yield from db.session.scalars(select(ModelExport).where(mine, ModelExport.status == JobStatus.COMPLETED))


def answers_as(row: ModelExport, training: Training) -> bool:
    """Whether it has the same detections as the .pt at the same thresholds, and is faster."""
    proof = row.verification
    if not proof or set(row.arguments) - ANSWERING or row.arguments["img_size"] != rounded(training.img_size):
        return False
    threshold = proof.get("at_threshold")
    if proof.get("conclusive") is False or (threshold and threshold["moved"]) or not files_of(row):
        return False
    return min(ratios(row).values()) < 1


def files_of(row: ModelExport) -> dict[str, str]:
    """SHA-256 of its model's files, by name; empty for exports from before hashes were recorded."""
    prefix = f"{row.details['model']}/"
    hashes = row.details.get("sha256") or {}
    return {name.removeprefix(prefix): sha256 for name, sha256 in hashes.items() if name.startswith(prefix)}


def ratios(row: ModelExport) -> dict[str, float]:
    """Seconds per image relative to the .pt, by available precision: bfloat16 only if verified on the same CPU model,
    since others may round differently.
    """
    timed, lower = row.details.get("run_times") or times_apart(row), row.details.get("bfloat16")
    here = {EXACT, BFLOAT16} if lower and lower["cpu"] == cpu_name() else {EXACT}
    return {name: ms / timed["ms"][PYTORCH] for name, ms in timed["ms"].items() if name in here}


def times_apart(row: ModelExport) -> RunTimes:
    """Seconds per image by engine, for exports from before both were timed alternately: of the fastest image; for still
    older ones the median.

    Raises:
        LookupError: the export was not verified.
    """
    if row.verification is None:
        raise LookupError(f"export {row.id} is not verified")
    lower = row.details.get("bfloat16")
    times = {PYTORCH: row.verification["reference"]["latency_ms"], EXACT: row.verification["latency_ms"]}
    times |= {BFLOAT16: lower["latency_ms"]} if lower else {}
    quickest = {name: each["least"] for name, each in times.items() if "least" in each}
    ms = quickest if len(quickest) == len(times) else {name: each["p50"] for name, each in times.items()}
    return {"cpu": "", "ms": {name: float(value) for name, value in ms.items()}}


def fallback_text(code: str | None) -> str | None:
    """Why PyTorch was used although there is a faster export; None: it was not, or there is none."""
    if code is None:
        return None
    texts = {
        "missing": _("The files of the OpenVINO export are missing, so PyTorch was used. Export the model again."),
        "damaged": _("The OpenVINO export is damaged, so PyTorch was used. Export the model again."),
    }
    return texts.get(code) or _("The OpenVINO export can't be loaded, so PyTorch was used. Export the model again.")
