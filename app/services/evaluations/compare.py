"""Compares two evaluations of the same images: the difference with its uncertainty, and the images that cause it."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from app.core.files import atomic_write_text
from app.core.outcome_files import MATCHES, OUTCOMES, read_only
from app.core.programs import CompareSpec, Difference, Differences
from app.database import refuse_writes
from app.errors import AppError, Conflict, Unavailable, Unprocessable
from app.events import Event, Failed, Finished, Refused
from app.extensions import db
from app.jobs.short import run_program
from app.models import Evaluation, Training
from app.schemas.evaluation_contents import ComparisonQueryValues
from app.services.evaluations.read_models import (
    ComparedImages,
    ComparedImageView,
    EvaluationDifference,
    OtherEvaluationView,
)
from app.services.evaluations.reads import EvaluationReader, addresses, result_of
from app.services.evaluations.views import WAIT_S, DamagedEvaluation, EvaluationFiles, Inconsistent, no_files, opened_of
from app.services.paging import page_numbers
from app.services.storage.damaged import remove_copies, set_file_aside
from app.services.trainer.documents import document, numbers

if TYPE_CHECKING:
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.evaluations")

LONGEST_S = 120.0
MAIN = ("top1", "map95")  # the metrics that decide the comparison
MAX_COMPARABLE = 50
LEAST_IMAGES = 20  # with fewer images, a bootstrap mistakes chance for a difference
# An image is right if it has no error, each evaluation at the confidence of its best F1.
RIGHT = {"this": "mine.errors = 0 AND theirs.errors > 0", "other": "mine.errors > 0 AND theirs.errors = 0"}
ONE_RIGHT = f"(({RIGHT['this']}) OR ({RIGHT['other']}))"

_comparing = threading.Lock()  # a separate lock from that of the views: sliders need not wait for a child


class EvaluationComparison:
    """Compares completed evaluations.

    Args:
        storage: provides a folder for the program. reader: opens their files.
    """

    def __init__(self, storage: "StorageService", reader: EvaluationReader) -> None:
        self.storage, self.reader = storage, reader

    def comparable(self, row: Evaluation) -> list[OtherEvaluationView]:
        """The completed evaluations of the same set, newest first, as OtherEvaluation."""
        same = [getattr(Evaluation, name) == getattr(row, name) for name in ("dataset_id", "revision", "split")]
        query = select(Evaluation, Training.name).join(Training, Training.id == Evaluation.training_id)
        query = query.where(*same, Evaluation.id != row.id, Training.deleted_at.is_(None))
        rows = db.session.execute(query.order_by(Evaluation.id.desc()).limit(MAX_COMPARABLE))
        return [brief(other, name) for other, name in rows if other.result is not None]

    def compare(self, row: Evaluation, other: Evaluation, query: ComparisonQueryValues) -> EvaluationDifference:
        """The comparison, as ComparisonOut.

        Raises:
            Conflict: one is not completed, or was made by an earlier version.
            Unprocessable: their images differ.
        """
        files, theirs = self.reader.files(row), self.reader.files(other)
        refuse_different_classes(row, other)
        differences = self.figures(files, theirs, "top1" in result_of(row)["metrics"])
        difference = differences["figures"]
        main = next((difference[name] for name in MAIN if name in difference), None)
        differs = main is not None and not main["low"] <= 0 <= main["high"]
        distinguishable = differs and differences["images"] >= LEAST_IMAGES
        return {
            "this": brief(row, name_of(row)),
            "other": brief(other, name_of(other)),
            "difference": difference,
            "distinguishable": distinguishable,
            "message": sentence(main, distinguishable, differences["images"]),
            **self.images(row, files, theirs, query),
        }

    def figures(self, files: EvaluationFiles, theirs: EvaluationFiles, classification: bool) -> Differences:
        """The comparison's result, computed once and cached.

        Raises:
            Unprocessable: their images differ.
            Conflict: one was made by an earlier version, or is damaged.
            NotFound: files were deleted.
        """
        cache = files.folder / f"compare-{theirs.folder.name}.json"
        differences = read_cached(cache)
        if differences is None:
            for item in (files, theirs):
                item.required(OUTCOMES)
            if not classification and not all((item.folder / MATCHES).is_file() for item in (files, theirs)):
                raise Conflict(
                    _(
                        "This evaluation was made by an earlier version of the platform and can't be compared. Run it "
                        "again."
                    )
                )
            refuse_writes()
            with one_at_a_time():
                differences = read_cached(cache) or self.run_comparison(files.folder, theirs.folder, classification)
                cache_differences(cache, differences)
        if problem := differences.get("differ"):
            raise Unprocessable(DIFFER[problem]())
        return differences

    def run_comparison(self, this: Path, other: Path, classification: bool) -> Differences:
        with self.storage.temporary() as scratch:
            values = CompareSpec(str(this), str(other), classification).values()
            ending = run_program("compare_evaluations", scratch, values, LONGEST_S)
        if not isinstance(ending, Finished):
            raise failure(ending, this, other)
        return cast(Differences, ending.result)

    def images(
        self, row: Evaluation, files: EvaluationFiles, theirs: EvaluationFiles, query: ComparisonQueryValues
    ) -> ComparedImages:
        """Counts of right images, and a page of those that only one evaluation gets right."""
        view = intact_view(theirs)
        result = result_of(row)
        with files.opened(result["confidence"], result["iou"]) as connection:
            connection.execute("ATTACH ? AS other", [read_only(view)])
            tables = "image AS mine JOIN other.image AS theirs ON theirs.id = mine.id"
            counts = counts_of(connection, tables)
            where = RIGHT.get(query.get("right") or "", ONE_RIGHT)
            total = connection.execute(f"SELECT COUNT(*) FROM {tables} WHERE {where}").fetchone()[0]  # noqa: S608
            size = query["per_page"]
            rows = connection.execute(
                "SELECT mine.id, mine.file, mine.errors AS this_errors, theirs.errors AS other_errors "  # noqa: S608
                f"FROM {tables} WHERE {where} ORDER BY ABS(mine.errors - theirs.errors) DESC, mine.id LIMIT ? OFFSET ?",
                [size, (query["page"] - 1) * size],
            ).fetchall()
        images: list[ComparedImageView] = [
            {
                "id": item["id"],
                "file": item["file"],
                "this_errors": item["this_errors"],
                "other_errors": item["other_errors"],
                **addresses(row, item["id"]),
            }
            for item in rows
        ]
        return {**page_numbers(query, total), "counts": counts, "images": images}


def intact_view(files: EvaluationFiles) -> Path:
    """The view that the evaluation's program wrote, after a complete read as a check; a damaged one is rebuilt."""
    path, opened = opened_of(files.default)
    with closing(opened):
        try:
            opened.execute("SELECT SUM(errors + LENGTH(file)) FROM image").fetchone()
            return path
        except sqlite3.DatabaseError as error:
            set_file_aside(path, error)
    return files.default()


def counts_of(connection: sqlite3.Connection, tables: str) -> dict[str, int]:
    """Numbers of images: right in both, in one of them, in neither."""
    both, this, other, neither = connection.execute(
        f"SELECT SUM(mine.errors = 0 AND theirs.errors = 0), SUM({RIGHT['this']}), SUM({RIGHT['other']}), "  # noqa: S608
        f"SUM(mine.errors > 0 AND theirs.errors > 0) FROM {tables}"
    ).fetchone()
    return {"both": both or 0, "this": this or 0, "other": other or 0, "neither": neither or 0}


DIFFER = {
    "images": lambda: _("These evaluations were measured on different images. Choose two of the same set."),
    "objects": lambda: _("The labels of these images have changed between the evaluations. Run the older one again."),
}


def refuse_different_classes(row: Evaluation, other: Evaluation) -> None:
    """Check that two evaluations have the same classes and metrics.

    Raises:
        Unprocessable: their metrics cannot be compared.
    """
    mine, theirs = result_of(row), result_of(other)
    if row.id == other.id:
        raise Unprocessable(_("An evaluation can't be compared with itself. Choose another one."))
    if mine["names"] != theirs["names"] or set(mine["metrics"]) != set(theirs["metrics"]):
        raise Unprocessable(_("The models of these evaluations have different classes, so they can't be compared."))


def sentence(main: Difference | None, distinguishable: bool, images: int) -> str:
    """The conclusion."""
    if main is None:
        return _("There is nothing to compare: the images have no objects.")
    if images < LEAST_IMAGES:
        return ngettext(
            "Not distinguishable: %(num)s image is too few to tell the two apart. It takes at least %(least)s.",
            "Not distinguishable: %(num)s images are too few to tell the two apart. It takes at least %(least)s.",
            images,
            least=LEAST_IMAGES,
        )
    if not distinguishable:
        return ngettext(
            "Not distinguishable on %(num)s image: the interval of the difference includes 0.",
            "Not distinguishable on %(num)s images: the interval of the difference includes 0.",
            images,
        )
    better = main["value"] > 0
    return _("This evaluation is better.") if better else _("The other evaluation is better.")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Acquire the only slot for a comparison, or fail after WAIT_S seconds.

    Raises:
        Unavailable: the slot was not released in time.
    """
    if not _comparing.acquire(timeout=WAIT_S):
        raise Unavailable(_("Other evaluations are being compared. Try again in a few seconds."))
    try:
        yield
    finally:
        _comparing.release()


def brief(row: Evaluation, name: str) -> OtherEvaluationView:
    """An evaluation as OtherEvaluationView."""
    return {
        "id": row.id,
        "training_id": row.training_id,
        "training_name": name,
        "split": row.split,
        "checkpoint": row.checkpoint,
        "created_at": row.created_at,
        "metrics": row.result.get("metrics") if row.result else None,
    }


def name_of(row: Evaluation) -> str:
    return db.session.get_one(Training, row.training_id).name


def check(differences: Differences) -> Differences:
    """Validate a cached result, as returned by `figures`.

    Raises:
        ValueError: it is invalid.
        TypeError: the same.
        KeyError: the same.
        AttributeError: the same.
    """
    if "differ" in differences:
        DIFFER[differences["differ"]]
        return differences
    numbers(differences["images"])
    for figure in differences["figures"].values():
        numbers(figure["value"], figure["low"], figure["high"])
    return differences


def read_cached(path: Path) -> Differences | None:
    """The cached result; None: there is none, or it is damaged."""
    return document(path, check)


def cache_differences(path: Path, differences: Differences) -> None:
    """Cache the result for the next request."""
    try:
        atomic_write_text(path, json.dumps(differences))
        remove_copies(path)
    except OSError as error:  # the evaluation was deleted meanwhile, or the disk is full
        logger.warning("a comparison could not be cached: %s", error)


def failure(ending: Event, this: Path, other: Path) -> AppError:
    """The error for a failed comparison; damaged files are set aside."""
    logger.warning("evaluations could not be compared: %s", ending)
    if isinstance(ending, Refused) and ending.code == "damaged":
        file = (this if ending.data["side"] == "this" else other) / str(ending.data["file"])
        if not file.exists():  # deleted meanwhile
            return no_files()
        set_file_aside(file)
        return DamagedEvaluation()
    if isinstance(ending, Failed) and ending.kind == "code":  # the files are readable, so their contents decide
        return Inconsistent()
    return Unavailable(_("These evaluations can't be compared now. Try again."))
