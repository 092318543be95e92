"""Reads an evaluation's results, image by image, at any thresholds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flask_babel import gettext as _

from app.core.curves import NamedCurves
from app.core.evaluate import EvaluationResult
from app.core.outcomes import LEAST_CONF
from app.errors import Conflict, NotFound
from app.models import Evaluation
from app.schemas.evaluation_contents import (
    AdviceQueryValues,
    OutcomeQueryValues,
    SuspectQueryValues,
    ThresholdQueryValues,
)
from app.services.datasets.contents import is_webp
from app.services.evaluations.advice import advise
from app.services.evaluations.browse import Browser
from app.services.evaluations.label_errors import LabelErrors
from app.services.evaluations.read_models import (
    AddressedImage,
    AddressedSuspect,
    Addresses,
    EvaluatedPageView,
    Matrix,
    SuspectPageView,
    ThresholdAdvice,
    Used,
)
from app.services.evaluations.views import EvaluationFiles
from app.services.paging import page_numbers

if TYPE_CHECKING:
    from app.services.datasets import DatasetService
    from app.services.storage import StorageService


class EvaluationReader:
    """Reads the files of completed evaluations.

    Args:
        storage: of their files. datasets: has the images.
    """

    def __init__(self, storage: "StorageService", datasets: "DatasetService") -> None:
        self.storage, self.datasets = storage, datasets

    def matrix(self, row: Evaluation, query: ThresholdQueryValues) -> Matrix:
        """The confusion matrix, as MatrixOut."""
        with self.browser(row, query) as browser:
            return {
                **used_thresholds(browser),
                "cells": browser.matrix(),
                "counts": browser.counts(),
                "names": list(browser.names),
            }

    def images(self, row: Evaluation, query: OutcomeQueryValues) -> EvaluatedPageView:
        """A page of images, as EvaluatedPage."""
        with self.browser(row, query) as browser:
            page, total = browser.page(query)
            counts = browser.counts()
        pictures: list[AddressedImage] = [{**item, **addresses(row, item["id"])} for item in page]
        return {**page_numbers(query, total), **used_thresholds(browser), "counts": counts, "images": pictures}

    def label_errors(self, row: Evaluation, query: SuspectQueryValues) -> SuspectPageView:
        """A page of likely label errors, as SuspectPage."""
        files = self.files(row)
        with files.opened_suspects() as connection:
            reader = LabelErrors(connection, result_of(row)["names"])
            cases, total = reader.page(query)
            counts = reader.counts()
        suspects: list[AddressedSuspect] = [
            {**item, "image": {**item["image"], **addresses(row, item["image"]["id"])}} for item in cases
        ]
        return {**page_numbers(query, total), "counts": counts, "suspects": suspects}

    def curves(self, row: Evaluation) -> NamedCurves | None:
        """The curves, as CurvesOut; None for classification, and without detections."""
        return self.files(row).curves()

    def thresholds(self, row: Evaluation, query: AdviceQueryValues) -> ThresholdAdvice:
        """The recommended thresholds, as AdviceOut."""
        return advise(self.curves(row), query.get("precision"), query.get("recall"))

    def image_file(self, row: Evaluation, number: int, small: bool) -> Path:
        """The image itself, or its thumbnail if there is one.

        Raises:
            NotFound: there is no such image, or it was removed from the server.
        """
        with self.browser(row, {}) as browser:
            image = browser.connection.execute("SELECT file FROM seen.image WHERE id = ?", [number]).fetchone()
        if image is None:
            raise NotFound(_("This image doesn't exist."))
        thumbnail = self.thumbnail(row, image["file"]) if small else None
        path = thumbnail or self.root(row) / image["file"]
        if not path.is_file() or ".." in Path(image["file"]).parts:
            raise NotFound(_("The image is no longer on the server."))
        return path

    def root(self, row: Evaluation) -> Path:
        """The folder of the dataset version that was evaluated.

        Raises:
            NotFound: the dataset was deleted.
        """
        if row.dataset_id is None:
            raise NotFound(_("The image is no longer on the server."))
        return self.storage.dataset_yaml(row.dataset_id, row.revision).parent

    def thumbnail(self, row: Evaluation, file: str) -> Path | None:
        if row.dataset_id is None or row.revision is None:
            return None
        try:
            index, _revision = self.datasets.contents.opened(row.dataset_id, row.revision)
        except (Conflict, NotFound):  # damaged or removed; the image itself is sent
            return None
        with index:
            rows = index.rows("SELECT sha256 FROM image WHERE file = ?", [file])
        if not rows:
            return None
        digest = str(rows[0]["sha256"])
        path = self.storage.dataset_dir(row.dataset_id) / "thumbnails" / digest[:2] / f"{digest}.webp"
        return path if is_webp(path) else None  # the image itself is sent

    @contextmanager
    def browser(self, row: Evaluation, query: ThresholdQueryValues) -> Iterator[Browser]:
        """Open the view of an evaluation at the thresholds of a query.

        Raises:
            Conflict: the evaluation is not completed, or its files are damaged.
            NotFound: they were deleted.
        """
        files, result = self.files(row), result_of(row)
        confidence, iou = result["confidence"], result["iou"]
        if "top1" not in result["metrics"]:  # in classification only the top class counts, whatever its confidence
            confidence = round(max(query.get("confidence") or confidence, LEAST_CONF), 3)
            iou = round(query.get("iou") or iou, 2)
        names = result["names"]
        with files.opened(confidence, iou) as connection:
            yield Browser(connection, names, confidence, iou)

    def files(self, row: Evaluation) -> EvaluationFiles:
        """The files of a completed evaluation.

        Raises:
            Conflict: the evaluation is not completed.
        """
        result = result_of(row)
        return EvaluationFiles(
            self.storage.evaluation_dir(row.training_id, row.token), result["confidence"], result["iou"]
        )


def result_of(row: Evaluation) -> EvaluationResult:
    """The result of a completed evaluation.

    Raises:
        Conflict: the evaluation is not completed.
    """
    if row.result is None:
        raise Conflict(_("The evaluation isn't completed, so it has no results yet."), members={"current": row.status})
    return row.result


def addresses(row: Evaluation, number: int) -> Addresses:
    """The addresses of an image and of its thumbnail."""
    address = f"/api/evaluations/{row.id}/images/{number}"
    return {"url": f"{address}/file", "thumbnail": f"{address}/thumbnail"}


def used_thresholds(browser: Browser) -> Used:
    return {"confidence": browser.confidence, "iou": browser.iou}
