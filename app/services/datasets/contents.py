"""The contents of a dataset version: images with their objects, findings, statistics, reports; and its fixes."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from flask_babel import gettext as _

from app.errors import Conflict, NotFound, Unprocessable
from app.models import DatasetRevision
from app.schemas.dataset_contents import FindingQueryValues, ImageQueryValues
from app.services.datasets.content_views import (
    code_view,
    cost_view,
    counts,
    figures_of,
    finding_view,
    image_view,
    line,
    summary_view,
    with_twin,
)
from app.services.datasets.index import DamagedIndex, Index
from app.services.datasets.read_models import (
    FindingsView,
    ImageDetailView,
    ImagesView,
    ReportHead,
    Row,
)
from app.services.datasets.reindex import IndexRebuilds
from app.services.datasets.revisions import DatasetRevisions
from app.services.datasets.store import DatasetStore
from app.services.paging import page_numbers
from app.services.storage.damaged import set_file_aside

COLUMNS = ("severity", "code", "file", "line", "split", "message", "effect", "fix", "fixable", "image")
TITLES = (
    "classes",
    "splits",
    "image_sizes",
    "box_sizes",
    "aspect_ratios",
    "objects_per_image",
    "heatmap",
    "co_occurrence",
)


class DatasetContents:
    """Reads the contents of versions. `number`: the version; None: the current one.

    Args:
        revisions: builds a version with fixed findings.
        indexes: rebuilds damaged indexes.
    """

    def __init__(self, store: DatasetStore, revisions: DatasetRevisions, indexes: IndexRebuilds) -> None:
        self.store, self.storage, self.revisions, self.indexes = store, store.storage, revisions, indexes

    def opened(self, dataset_id: int, number: int | None) -> tuple[Index, DatasetRevision]:
        """The opened index of a version.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: it is not ready.
            Damaged: the index cannot be read, or is being rebuilt.
        """
        row = self.store.get_revision(dataset_id, number)
        revision_number = row.number

        def rebuild() -> DamagedIndex:
            return self.indexes.begin(dataset_id, revision_number)

        try:
            return Index(self.storage.index(dataset_id, revision_number), rebuild), row
        except FileNotFoundError as error:
            if self.storage.dataset_yaml(dataset_id, revision_number).is_file():  # only the index is missing
                raise rebuild() from error
            raise NotFound(_("The files of version %(number)s aren't on the server.", number=row.number)) from error

    def images(self, dataset_id: int, query: ImageQueryValues) -> ImagesView:
        """A page of images, as schemas.ImagePage."""
        index, revision = self.opened(dataset_id, query.get("revision"))
        with index:
            rows, total = index.images(query)
        return {
            **page_numbers(query, total),
            "images": [image_view(row, revision) for row in rows],
            "revision": revision.number,
        }

    def image(self, dataset_id: int, image_id: int, number: int | None = None) -> ImageDetailView:
        """One image with its findings, as schemas.ImageDetail.

        Raises:
            NotFound: the version has no such image.
        """
        index, revision = self.opened(dataset_id, number)
        with index:
            row = index.image(image_id)
            findings = index.findings_of(image_id) if row else []
            twins = index.twins(findings)
        if row is None:
            raise NotFound(_("This version has no image %(id)s.", id=image_id))
        return {**figures_of(row, revision), "findings": [with_twin(item, twins, revision) for item in findings]}

    def image_file(self, dataset_id: int, image_id: int, number: int | None, thumbnail: bool) -> tuple[Path, str]:
        """The file of an image or of its thumbnail, and the SHA-256 of the image.

        Raises:
            NotFound: there is none: the image is damaged or too large.
        """
        index, revision = self.opened(dataset_id, number)
        with index:
            row = index.image(image_id)
        if row is None:
            raise NotFound(_("This version has no image %(id)s.", id=image_id))
        digest = str(row["sha256"])
        if thumbnail:
            path = self.storage.dataset_dir(dataset_id) / "thumbnails" / digest[:2] / f"{digest}.webp"
        else:
            path = self.storage.revision_dir(dataset_id, revision.number) / row["file"]
        if thumbnail and row["stored"] and not is_webp(path):  # serve the image itself, which is larger
            path = self.storage.revision_dir(dataset_id, revision.number) / row["file"]
        if not row["thumbnail" if thumbnail else "stored"] or not path.is_file():
            raise NotFound(_("This image can't be shown: it is corrupt or too large, and was left out."))
        return path, digest

    def statistics(self, dataset_id: int, number: int | None = None) -> Mapping[str, object]:
        """The stored statistics, as schemas.StatisticsOut."""
        index, revision = self.opened(dataset_id, number)
        with index:
            counts = index.statistics()
        return {"revision": revision.number, **{name: counts.get(name) for name in TITLES}}

    def findings(self, dataset_id: int, query: FindingQueryValues) -> FindingsView:
        """A page of findings, errors first, as schemas.FindingPage."""
        index, revision = self.opened(dataset_id, query.get("revision"))
        with index:
            rows, total = index.findings(query)
            twins = index.twins(rows)
            codes, costs = index.codes(), index.costs()
        return {
            **page_numbers(query, total),
            "findings": [with_twin(row, twins, revision) for row in rows],
            "counts": counts(codes),
            "codes": [code_view(row, costs) for row in codes],
            "cost": cost_view(costs, "all"),
            "revision": revision.number,
        }

    def report_json(self, dataset_id: int, number: int | None) -> Iterator[str]:
        """All findings as JSON, in chunks. Errors are raised before the first chunk."""
        index, revision = self.opened(dataset_id, number)
        with index:
            codes, counted, costs = index.codes(), index.statistics(), index.costs()
        head: ReportHead = {
            "dataset_id": dataset_id,
            "name": self.store.get(dataset_id).name,
            "revision": revision.number,
            "task": counted["task"],
            "summary": summary_view(counted["summary"]),
            "counts": counts(codes),
            "codes": [code_view(row, costs) for row in codes],
            "cost": cost_view(costs, "all"),
        }
        return self.json_pieces(self.storage.index(dataset_id, revision.number), head)

    def json_pieces(self, path: Path, head: ReportHead) -> Iterator[str]:
        yield json.dumps(head, ensure_ascii=False)[:-1] + ', "findings": ['
        with Index(path) as index:
            for number, row in enumerate(index.every_finding()):
                yield f"{',' if number else ''}\n{json.dumps(finding_view(row), ensure_ascii=False)}"
        yield "\n]}\n"

    def report_csv(self, dataset_id: int, number: int | None) -> Iterator[str]:
        """The findings as CSV, with formulas escaped for spreadsheets."""
        index, revision = self.opened(dataset_id, number)
        index.connection.close()
        return self.csv_pieces(self.storage.index(dataset_id, revision.number))

    def csv_pieces(self, path: Path) -> Iterator[str]:
        yield "\ufeff" + line(COLUMNS)  # Excel detects UTF-8 by the byte order mark
        with Index(path) as index:
            for row in index.every_finding():
                view: Row = {**finding_view(row), "split": row["split"]}
                yield line(view[name] for name in COLUMNS)

    def fix(self, dataset_id: int, codes: list[str] | str) -> DatasetRevision:
        """Build a version with fixed findings.

        Args:
            codes: of the findings to fix; "all": every fixable one.

        Raises:
            Unprocessable: one of them does not exist, or has no fix.
            Conflict: no finding has a fix.
        """
        index, _revision = self.opened(dataset_id, None)
        with index:
            fixable = {row["code"] for row in index.codes() if row["fixable"]}
        if codes == "all":
            if not fixable:
                raise Conflict(_("This dataset has no fixable issues."))
        elif wrong := [code for code in codes if code not in fixable]:
            raise Unprocessable(
                _("No issues to fix for: %(codes)s.", codes=", ".join(wrong)),
                [{"field": "codes", "message": _("Must be one of: %(choices)s.", choices=", ".join(sorted(fixable)))}],
            )
        return self.revisions.revise(dataset_id, {}, codes)


def is_webp(path: Path) -> bool:
    """Whether a thumbnail is complete, by the size in its header; a damaged one is set aside."""
    try:
        with open(path, "rb") as file:
            header, size = file.read(12), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return False
    intact = header[:4] == b"RIFF" and header[8:] == b"WEBP" and int.from_bytes(header[4:8], "little") + 8 == size
    if not intact:
        set_file_aside(path, "no thumbnail")
    return intact
