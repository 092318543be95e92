"""Updates the rows after the build of a version has succeeded or failed."""

from typing import Any

from sqlalchemy import update

from app.core.failure import Reason
from app.core.imports import DatasetReport, ImportResult, SkippedFiles
from app.core.unread import unread, why_no_labels
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus, Training
from app.services.datasets.texts import REASONS, message_of

# Columns of the dataset that are copied from the current version.
SHARED = (
    "classes",
    "task",
    "format",
    "total_images",
    "train_images",
    "val_images",
    "test_images",
    "size_bytes",
    "report",
)
NAMED = 50
UNASKED = frozenset({"task_folders", "task_plain_folders"})  # automatic decisions that make a classification dataset


def accept(session: Any, dataset: Dataset, revision: DatasetRevision, result: ImportResult) -> None:
    """Record a built version, and make it the current one unless the dataset already has a better one."""
    reason = unusable(result) or unread_beside(dataset, result)
    fill(dataset, revision, result, reason)
    revision.become(RevisionStatus.READY)
    first = dataset.revision is None
    if first or reason is None or dataset.error:
        set_current_revision(dataset, revision)
    elif dataset.status == DatasetStatus.VALIDATING:
        update_status(dataset)
    if first and revision.origin.get("kind") == "adopted":
        # Trainings from before versions existed used these files.
        mine = (Training.dataset_id == dataset.id) & Training.revision.is_(None)
        same = Training.dataset_revision.is_(None) | (Training.dataset_revision == revision.hash)
        session.execute(update(Training).where(mine & same).values(revision=revision.number))


def fill(dataset: Dataset, revision: DatasetRevision, result: ImportResult, reason: Reason | None) -> None:
    """Write the child's counts to the version's row."""
    report = report_of(dataset.report, result)
    if reason:
        report["reason"] = reason
    revision.report, revision.classes, revision.task = report, result.names, result.task
    revision.format, revision.hash, revision.size_bytes = result.format, result.hash, result.size_bytes
    revision.train_images, revision.val_images = result.images["train"], result.images["val"]
    revision.test_images, revision.total_images = result.images["test"], sum(result.images.values())
    revision.error = message_of(REASONS, reason["code"], reason["data"]) if reason else None


def report_of(uploaded: DatasetReport, result: ImportResult) -> DatasetReport:
    """The report: the upload's origin, and the child's decisions and counts."""
    report: DatasetReport = {
        "images": result.images,
        "usable": result.usable,
        "boxes": result.boxes,
        "findings": result.findings,
        "findings_total": sum(result.findings.values()),
        "severities": result.severities,
        "left_out": result.left_out,
        "fixable": result.fixable,
        "samples": result.samples,
        "seconds": result.seconds,
        "decisions": result.decisions,
        "keypoints": result.keypoints,
        "effects": result.effects,
        "root": result.root,
        "source_names": result.source_names,
        "skipped": with_outside(uploaded.get("skipped") or {}, result),
    }
    if "renamed" in uploaded:
        report["renamed"] = uploaded["renamed"]
    if "original" in uploaded:
        report["original"] = uploaded["original"]
    if "archive" in uploaded:
        report["archive"] = uploaded["archive"]
    return report


def with_outside(skipped: SkippedFiles, result: ImportResult) -> SkippedFiles:
    """The skipped files, with those that had no use."""
    kinds = {kind: count for kind, count in skipped.get("kinds", {}).items() if kind != "outside"}
    kinds |= {"outside": result.outside_count} if result.outside_count else {}
    names = [*skipped.get("names", []), *result.outside]
    return {"count": sum(kinds.values()), "kinds": kinds, "names": list(dict.fromkeys(names))[:NAMED]}


def unusable(result: ImportResult) -> Reason | None:
    """Why a version cannot be used for training; None if it can."""
    if result.findings.get("label_box"):
        return {"code": "boxes_only", "data": {"task": result.task}}
    if not result.usable["train"]:
        return {"code": "no_train", "data": {}}
    if not result.usable["val"]:
        return {"code": "no_val", "data": {}}
    return None if result.boxes else {"code": "no_boxes", "data": {}}


def unread_beside(dataset: Dataset, result: ImportResult) -> Reason | None:
    """Class folders beside files that may hold labels: not a classification until a person confirms it."""
    files = unread(dataset.report.get("skipped") or {})
    if not files or not any(item["code"] in UNASKED for item in result.decisions):
        return None
    return {"code": "labels_beside", "data": {"files": ", ".join(files)}}


def explain(dataset: Dataset, reason: Reason) -> Reason:
    """The reason why no images were found, with the files that may have been meant."""
    if reason["code"] in {"no_labels", "no_layout"} and (why := why_no_labels(dataset.report.get("skipped") or {})):
        return why
    return reason


def set_current_revision(dataset: Dataset, revision: DatasetRevision) -> None:
    """Copy a revision's columns to its dataset."""
    for name in SHARED:
        setattr(dataset, name, getattr(revision, name))
    dataset.revision, dataset.error = revision.number, revision.error
    update_status(dataset)


def update_status(dataset: Dataset) -> None:
    """The status that follows from the error."""
    status = DatasetStatus.INVALID if dataset.error else DatasetStatus.VALID
    if dataset.status == status:
        return
    if dataset.status != DatasetStatus.VALIDATING:
        dataset.become(DatasetStatus.VALIDATING)
    dataset.become(status)


def fail_revision(dataset: Dataset, revision: DatasetRevision, reason: Reason) -> None:
    """Mark a version as failed; the dataset is unchanged, or becomes invalid if it has no other version."""
    reason = explain(dataset, reason)
    revision.become(RevisionStatus.FAILED)
    revision.error = message_of(REASONS, reason["code"], reason["data"])
    revision.report = {**revision.report, "reason": reason}
    if dataset.revision is None and dataset.status in {DatasetStatus.PENDING, DatasetStatus.VALIDATING}:
        invalidate(dataset, reason)
    elif dataset.status == DatasetStatus.VALIDATING:
        update_status(dataset)


def invalidate(dataset: Dataset, reason: Reason) -> None:
    """Mark a dataset as unusable."""
    reason = explain(dataset, reason)
    dataset.error = message_of(REASONS, reason["code"], reason["data"])
    dataset.report = {**dataset.report, "reason": reason}
    update_status(dataset)
