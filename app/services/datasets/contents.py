"""What is in a revision: its images with their objects, what is wrong, what was counted; reports; fixes."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from app.errors import Conflict, NotFound, Unprocessable
from app.models import DatasetRevision
from app.services.datasets.finding_texts import filled, told_of
from app.services.datasets.index import Damaged, Index
from app.services.datasets.revisions import DatasetRevisions
from app.services.datasets.texts import LEFT_OUT, say
from app.services.storage.damaged import damaged_in, set_file_aside

SEVERITIES = ("error", "warning", "info")
COLUMNS = ("severity", "code", "file", "line", "split", "message", "effect", "fix", "fixable", "image")
TITLES = ("classes", "splits", "image_sizes", "box_sizes", "aspect_ratios", "objects_per_image", "heatmap",
          "co_occurrence")  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run

Row = dict[str, Any]


class DatasetContents(DatasetRevisions):
    """Looks into revisions. `number`: the revision; None: the current one."""

    def opened(self, dataset_id: int, number: int | None) -> tuple[Index, DatasetRevision]:
        """The index of a revision, to be closed.

        Raises:
            NotFound: no such dataset or revision. Conflict: it is not ready.
        """
        row = self.get_revision(dataset_id, number)
        try:
            return Index(self.storage.index(dataset_id, row.number)), row
        except FileNotFoundError as error:
            if "index.sqlite" in damaged_in([self.storage.revision_dir(dataset_id, row.number)]):
                raise Damaged from error
            raise NotFound(_("The files of version %(number)s aren't on the server.", number=row.number)) from error

    def images(self, dataset_id: int, query: Mapping[str, Any]) -> dict[str, Any]:
        """A page of images, as schemas.ImagePage."""
        index, revision = self.opened(dataset_id, query.get("revision"))
        with index:
            found, total = index.images(query)
        return paged(query, total) | {
            "images": [image_view(row, revision) for row in found],
            "revision": revision.number,
        }

    def image(self, dataset_id: int, image_id: int, number: int | None = None) -> dict[str, Any]:
        """One image with its findings, as schemas.ImageDetail.

        Raises:
            NotFound: the revision has no such image.
        """
        index, revision = self.opened(dataset_id, number)
        with index:
            row = index.image(image_id)
            findings = index.findings_of(image_id) if row else []
            others = index.others(findings)
        if row is None:
            raise NotFound(_("This version has no image %(id)s.", id=image_id))
        return image_view(row, revision) | {
            "findings": [finding_view(item) | other_view(item, others, revision) for item in findings]
        }

    def image_file(self, dataset_id: int, image_id: int, number: int | None, thumbnail: bool) -> tuple[Path, str]:
        """The file of an image or of its thumbnail, and the SHA-256 of the image.

        Raises:
            NotFound: there is none: the image is broken or too large.
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
        if thumbnail and row["stored"] and not is_webp(path):  # the image itself is larger, and shows the same
            path = self.storage.revision_dir(dataset_id, revision.number) / row["file"]
        if not row["thumbnail" if thumbnail else "stored"] or not path.is_file():
            raise NotFound(_("This image can't be shown: it is corrupt or too large, and was left out."))
        return path, digest

    def statistics(self, dataset_id: int, number: int | None = None) -> dict[str, Any]:
        """What was counted, as schemas.StatisticsOut."""
        index, revision = self.opened(dataset_id, number)
        with index:
            found = index.statistics()
        return {"revision": revision.number} | {name: found.get(name) for name in TITLES}

    def findings(self, dataset_id: int, query: Mapping[str, Any]) -> dict[str, Any]:
        """A page of findings, errors first, as schemas.FindingPage."""
        index, revision = self.opened(dataset_id, query.get("revision"))
        with index:
            found, total = index.findings(query)
            others = index.others(found)
            codes, costs = index.codes(), index.costs()
        return paged(query, total) | {
            "findings": [finding_view(row) | other_view(row, others, revision) for row in found],
            "counts": counts(codes),
            "codes": [code_view(row, costs) for row in codes],
            "cost": cost_view(costs, "all"),
            "revision": revision.number,
        }

    def report_json(self, dataset_id: int, number: int | None) -> Iterator[str]:
        """All that was found, in pieces. What can fail does so before the first."""
        index, revision = self.opened(dataset_id, number)
        with index:
            codes, counted, costs = index.codes(), index.statistics(), index.costs()
        head = {
            "dataset_id": dataset_id,
            "name": self.get(dataset_id).name,
            "revision": revision.number,
            "task": counted["task"],
            "summary": summary_view(counted["summary"]),
            "counts": counts(codes),
            "codes": [code_view(row, costs) for row in codes],
            "cost": cost_view(costs, "all"),
        }
        return self.json_pieces(self.storage.index(dataset_id, revision.number), head)

    def json_pieces(self, path: Path, head: Mapping[str, Any]) -> Iterator[str]:
        yield json.dumps(head, ensure_ascii=False)[:-1] + ', "findings": ['
        with Index(path) as index:
            for number, row in enumerate(index.every_finding()):
                yield f"{',' if number else ''}\n{json.dumps(finding_view(row), ensure_ascii=False)}"
        yield "\n]}\n"

    def report_csv(self, dataset_id: int, number: int | None) -> Iterator[str]:
        """The findings as a table that a spreadsheet opens and does not run."""
        index, revision = self.opened(dataset_id, number)
        index.connection.close()
        return self.csv_pieces(self.storage.index(dataset_id, revision.number))

    def csv_pieces(self, path: Path) -> Iterator[str]:
        yield "\ufeff" + line(COLUMNS)  # the mark tells Excel that this is UTF-8
        with Index(path) as index:
            for row in index.every_finding():
                shown = finding_view(row) | {"split": row["split"]}
                yield line(shown[name] for name in COLUMNS)

    def fix(self, dataset_id: int, codes: list[str] | str) -> DatasetRevision:
        """Have a revision made in which findings are mended.

        Args:
            codes: which; "all": what can be.

        Raises:
            Unprocessable: one of them was not found, or cannot be mended. Conflict: nothing can be.
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
        return self.revise(dataset_id, {}, codes)


def is_webp(path: Path) -> bool:
    """Whether a thumbnail is whole, by its header, which says its size; a damaged one is set aside."""
    try:
        with open(path, "rb") as file:
            header, size = file.read(12), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return False
    whole = header[:4] == b"RIFF" and header[8:] == b"WEBP" and int.from_bytes(header[4:8], "little") + 8 == size
    if not whole:
        set_file_aside(path, "no thumbnail")
    return whole


def paged(query: Mapping[str, Any], total: int) -> dict[str, int]:
    """The keys of schemas.Page."""
    per_page = query["per_page"]
    return {"total": total, "page": query["page"], "per_page": per_page, "pages": -(-total // per_page)}


def image_view(row: Row, revision: DatasetRevision) -> dict[str, Any]:
    """An image as schemas.ImageOut. Its addresses name its content, so that they can be cached for good."""
    place = f"/api/datasets/{revision.dataset_id}/images/{row['id']}"
    query = f"?revision={revision.number}&v={row['sha256'][:16]}"
    names = ("id", "file", "split", "width", "height", "bytes", "objects", "sharpness", "brightness", "contrast")
    return {name: row[name] for name in names} | {
        "findings": row["codes"],
        "used": bool(row["usable"]),
        "group": row["group_id"],
        "original": row["original"] or row["file"],
        "source": row["source"],
        "url": f"{place}/file{query}" if row["stored"] else None,
        "thumbnail": f"{place}/thumbnail{query}" if row["thumbnail"] else None,
    }


def other_view(row: Row, others: Mapping[str, Row], revision: DatasetRevision) -> dict[str, Any]:
    """The twin of a finding's image, as schemas.OtherImage."""
    twin = others.get(row["data"].get("other"))
    if twin is None:
        return {"other": None}
    shown = image_view(twin, revision)
    return {"other": {name: shown[name] for name in ("id", "file", "split", "url", "thumbnail")}}


def finding_view(row: Row) -> dict[str, Any]:
    """A finding as schemas.FindingOut, in the reader's language."""
    told = told_of(row["code"])
    fixable = bool(row["fixable"])
    return {name: row[name] for name in ("id", "severity", "code", "file", "line", "image_id", "image")} | {
        "title": str(told.title),
        "message": filled(told.message, row["data"]),
        "effect": filled(told.effect, row["data"]),
        "fix": str(told.fix) if told.fix and fixable else None,
        "fixable": fixable,
    }


def code_view(row: Row, costs: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """A code with its counts, and what its fix would take away."""
    told = told_of(row["code"])
    return {name: row[name] for name in ("code", "severity", "count", "fixable", "images")} | {
        "title": str(told.title),
        "fix": str(told.fix) if told.fix and row["fixable"] else None,
        "cost": cost_view(costs, row["code"]),
    }


def cost_view(costs: Mapping[str, Mapping[str, int]], code: str) -> dict[str, int]:
    """What a fix takes away."""
    return {"rows": 0, "images": 0} | dict(costs.get(code, {}))


def counts(codes: list[Row]) -> dict[str, int]:
    """All findings by severity, and those that can be mended. A code has one severity."""
    found = {name: sum(row["count"] for row in codes if row["severity"] == name) for name in SEVERITIES}
    return found | {"fixable": sum(row["fixable"] for row in codes)}


def summary_view(summary: Mapping[str, Any]) -> dict[str, Any]:
    left = [{"code": code, "count": count, "message": say(LEFT_OUT, code, {})}
            for code, count in summary["left_out"].items()]  # fmt: skip
    return dict(summary) | {"left_out": left}


def line(cells: Any) -> str:
    """A line of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([defused(cell) for cell in cells])
    return buffer.getvalue()


def defused(cell: Any) -> Any:
    """Text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
