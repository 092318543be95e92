"""Datasets and versions for the API, in the reader's language."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select, tuple_

from app.core.imports import DatasetReport, ImportOptions
from app.core.report import Decision
from app.core.text_data import TextData
from app.extensions import db
from app.models import Dataset, DatasetRevision, DatasetStatus
from app.schemas.datasets import DatasetOutValues, ProgressOutValues
from app.schemas.revisions import RevisionOutValues
from app.services.datasets.details import DatasetUsers, users_of
from app.services.datasets.finding_texts import effects
from app.services.datasets.imports import DatasetImports
from app.services.datasets.read_models import DecisionView, OriginalFile, ReadingView, Summary
from app.services.datasets.reading_texts import LABELS
from app.services.datasets.review import needs_review
from app.services.datasets.store import DatasetStore
from app.services.datasets.texts import DECISIONS, EXCLUSION_TITLES, FORMATS, REASONS, message_of
from app.services.storage.damaged import damaged_in

ELSEWHERE = ("label_orphan", "image_missing")  # codes of labeled images that the dataset lacks


class DatasetView:
    """Presents datasets.

    Args:
        imports: has the progress of each.
    """

    def __init__(self, store: DatasetStore, imports: DatasetImports) -> None:
        self.store, self.storage, self.imports = store, store.storage, imports

    def view(self, dataset: Dataset) -> DatasetOutValues:
        """A dataset for schemas.DatasetOut."""
        return self.view_all([dataset])[0]

    def view_all(self, datasets: Sequence[Dataset]) -> list[DatasetOutValues]:
        """Datasets for schemas.DatasetOut; two queries for any number."""
        options, users = options_of(datasets), users_of([dataset.id for dataset in datasets])
        nobody: DatasetUsers = {"trainings": 0, "trashed": 0}
        progress = self.imports.progress(options)
        return [
            self.described(
                dataset, options.get(dataset.id, {}), users.get(dataset.id, nobody), progress.get(dataset.id)
            )
            for dataset in datasets
        ]

    def described(
        self, dataset: Dataset, options: ImportOptions, users: DatasetUsers, progress: ProgressOutValues | None
    ) -> DatasetOutValues:
        report = dataset.report.copy()
        missing = self.store.is_missing(dataset)
        if missing:
            report["reason"] = {"code": "files_missing", "data": {}}
        chosen = choices(dataset, options)
        review = needs_review(report)
        view: dict[str, object] = {**report}
        view["decisions"] = [
            {**decision(item, chosen), **reading(item, dataset)}
            for item in [*report.get("archive", []), *report.get("decisions", [])]
        ]
        return {
            "id": dataset.id,
            "name": dataset.name,
            "description": dataset.description,
            "classes": dataset.classes,
            "total_images": dataset.total_images,
            "train_images": dataset.train_images,
            "val_images": dataset.val_images,
            "test_images": dataset.test_images,
            "created_at": dataset.created_at,
            "updated_at": dataset.updated_at,
            "task": dataset.task,
            "size_bytes": dataset.size_bytes,
            "revision": dataset.revision,
            "format": dataset.format,
            "created_by": dataset.created_by,
            "shared": dataset.shared,
            **users,
            "progress": progress,
            "report": view,
            "status": str(DatasetStatus.INVALID) if missing else dataset.status,
            "damaged": self.damaged_files(dataset),
            "error": error(report) or dataset.error,
            "original": self.original_of(dataset),
            "samples": [thumbnail(dataset, image) for image in report.get("samples", [])],
            "summary": summary(report),
            "needs_review": review,
        }

    def damaged_files(self, dataset: Dataset) -> list[str]:
        """Unreadable files that were set aside."""
        folder = self.storage.dataset_dir(dataset.id)
        here = (
            [folder] if dataset.revision is None else [self.storage.revision_dir(dataset.id, dataset.revision), folder]
        )
        return damaged_in(here)

    def original_of(self, dataset: Dataset) -> OriginalFile | None:
        """Name and size of the upload, while its file exists."""
        uploaded = dataset.report.get("original")
        try:
            size = self.storage.original(dataset.id).stat().st_size
        except OSError:
            return None
        return {"name": (uploaded and uploaded["name"]) or f"dataset-{dataset.id}.zip", "bytes": size}

    def view_revision(self, row: DatasetRevision, current: int | None, trainings: list[int]) -> RevisionOutValues:
        """A revision for schemas.RevisionOut."""
        return {
            "number": row.number,
            "status": row.status,
            "hash": row.hash,
            "origin": row.origin,
            "options": row.options,
            "classes": row.classes,
            "task": row.task,
            "format": row.format,
            "total_images": row.total_images,
            "train_images": row.train_images,
            "val_images": row.val_images,
            "test_images": row.test_images,
            "size_bytes": row.size_bytes,
            "created_at": row.created_at,
            "current": row.number == current,
            "error": error(row.report) or row.error,
            "summary": summary(row.report),
            "effects": effects(row.report),
            "trainings": trainings,
        }


def options_of(datasets: Sequence[Dataset]) -> dict[int, ImportOptions]:
    """The options of each dataset's current version, without loading the versions' long reports."""
    pairs = [(dataset.id, dataset.revision or 1) for dataset in datasets]
    rows = select(DatasetRevision.dataset_id, DatasetRevision.options).where(
        tuple_(DatasetRevision.dataset_id, DatasetRevision.number).in_(pairs)
    )
    return {row.dataset_id: row.options for row in db.session.execute(rows)}


def choices(dataset: Dataset, options: ImportOptions) -> dict[str, object]:
    """The present choices: the current version's options, and detected values for automatic ones."""
    inferred: dict[str, object] = {
        "names": dataset.classes,
        "root": dataset.report.get("root"),
        "task": dataset.task,
        "format": dataset.format,
    }
    return inferred | {name: value for name, value in options.items() if value not in (None, "", "auto")}


def decision(item: Decision, choices: Mapping[str, object]) -> DecisionView:
    """A decision, and how to change it: the parameter with its present value."""
    data, change = item.get("data", {}), item.get("change")
    view: DecisionView = {
        "code": item["code"],
        "data": data,
        "message": message_of(DECISIONS, item["code"], name_formats(data)),
        "change": None,
    }
    if change:
        value = item["reading"] if "reading" in item else choices.get(change["parameter"])
        view["change"] = {"parameter": change["parameter"], "value": value, "options": change.get("options") or None}
    return view


def reading(item: Decision, dataset: Dataset) -> ReadingView:
    """For a decision between readings: each with its name, and images drawn with each. Empty for others."""
    change = item.get("change")
    if "reading" not in item or not change:
        return {}
    options = change["options"]
    return {
        "reading": item["reading"],
        "confirmed": bool(item.get("confirmed")),
        "readings": [{"reading": name, "label": str(LABELS.get(name, name))} for name in options],
        "examples": [
            {**example, "thumbnail": thumbnail(dataset, example["id"])}
            for example in item.get("examples", [])
            if "id" in example
        ],
    }


def name_formats(data: TextData) -> TextData:
    """The placeholder values of a text, with format codes replaced by names; several are separated by commas."""
    if "format" not in data:
        return data
    others = str(data.get("others", "")).split(", ")
    names = {"format": format_name(str(data["format"])), "others": ", ".join(map(format_name, others))}
    return {**data, **names}


def format_name(code: str) -> str:
    """The name of a format; its code if unknown to this version."""
    return str(FORMATS.get(code, code))


def error(report: DatasetReport) -> str | None:
    """The reason why it cannot be used."""
    reason = report.get("reason")
    return message_of(REASONS, reason["code"], name_formats(reason["data"])) if reason else None


def thumbnail(dataset: Dataset, image: int) -> str:
    return f"/api/datasets/{dataset.id}/images/{image}/thumbnail?revision={dataset.revision}"


def summary(report: DatasetReport) -> Summary | None:
    """The summary of what training will use: N of M labeled images, and the reasons for the rest."""
    if "usable" not in report or "images" not in report:
        return None
    left_out = report.get("left_out", {})
    excluded = sorted(left_out.items(), key=lambda item: -item[1])
    return {
        "used": sum(report["usable"].values()),
        "total": sum(report["images"].values()) + sum(left_out.get(code, 0) for code in ELSEWHERE),
        "left_out": [
            {"code": code, "count": count, "message": message_of(EXCLUSION_TITLES, code, {})}
            for code, count in excluded
        ],
    }
