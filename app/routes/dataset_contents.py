"""What is in a dataset: images, findings, statistics, reports; and fixing what was found."""

from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file, stream_with_context

from app.routes.dataset_revisions import started
from app.schemas import (
    FileQuery,
    FindingPage,
    FindingQuery,
    FixIn,
    ImageDetail,
    ImagePage,
    ImageQuery,
    ReportOut,
    RevisionQuery,
    RevisionStarted,
    StatisticsOut,
)
from app.schemas.dataset_contents import (
    FileQueryValues,
    FindingQueryValues,
    FixInValues,
    ImageQueryValues,
    RevisionQueryValues,
)
from app.schemas.revisions import RevisionStartedValues
from app.services import services
from app.services.datasets.read_models import FindingsView, ImageDetailView, ImagesView

blueprint = APIBlueprint("dataset_contents", __name__, url_prefix="/api/datasets", tag="Datasets")

UNAVAILABLE: dict[int | str, Any] = {404: "The dataset, version or image doesn't exist.", 409: "No version is ready."}
YEAR_S = 31_536_000


def described(kind: str, content: str) -> dict[int | str, Any]:
    schema = {"type": "string", "format": "binary"}
    return UNAVAILABLE | {200: {"description": content, "content": {kind: {"schema": schema}}}}


@blueprint.get("/<id:dataset_id>/images")
@blueprint.input(ImageQuery, location="query", arg_name="query")
@blueprint.output(ImagePage)
@blueprint.doc(responses=UNAVAILABLE)
def list_images(dataset_id: int, query: ImageQueryValues) -> ImagesView:
    """List images with their objects, by class, split, issue, number and size of objects, and name."""
    return services().datasets.contents.images(dataset_id, query)


@blueprint.get("/<id:dataset_id>/images/<id:image_id>")
@blueprint.input(RevisionQuery, location="query", arg_name="query")
@blueprint.output(ImageDetail)
@blueprint.doc(responses=UNAVAILABLE)
def get_image(dataset_id: int, image_id: int, query: RevisionQueryValues) -> ImageDetailView:
    """Get one image with its objects and issues."""
    return services().datasets.contents.image(dataset_id, image_id, query.get("revision"))


@blueprint.get("/<id:dataset_id>/images/<id:image_id>/file")
@blueprint.input(FileQuery, location="query", arg_name="query")
@blueprint.doc(responses=described("image/*", "The image"))
def get_image_file(dataset_id: int, image_id: int, query: FileQueryValues) -> Response:
    """Get the image as training reads it."""
    return image_answer(dataset_id, image_id, query, thumbnail=False)


@blueprint.get("/<id:dataset_id>/images/<id:image_id>/thumbnail")
@blueprint.input(FileQuery, location="query", arg_name="query")
@blueprint.doc(responses=described("image/webp", "The thumbnail, its longer side at most 320 pixels"))
def get_thumbnail(dataset_id: int, image_id: int, query: FileQueryValues) -> Response:
    """Get a small, upright copy of the image."""
    return image_answer(dataset_id, image_id, query, thumbnail=True)


def image_answer(dataset_id: int, image_id: int, query: FileQueryValues, thumbnail: bool) -> Response:
    """The file; cached permanently if the address has its content hash, since a dataset's id may be reused."""
    path, digest = services().datasets.contents.image_file(dataset_id, image_id, query.get("revision"), thumbnail)
    response = send_file(path, etag=f"{digest}-{'small' if thumbnail else 'whole'}", conditional=True, max_age=0)
    if (version := query.get("v")) and len(version) >= 8 and digest.startswith(version):
        response.cache_control.no_cache = None
        response.cache_control.max_age = YEAR_S
        response.cache_control.private = True
        response.cache_control.immutable = True
    return response


@blueprint.get("/<id:dataset_id>/statistics")
@blueprint.input(RevisionQuery, location="query", arg_name="query")
@blueprint.output(StatisticsOut)
@blueprint.doc(responses=UNAVAILABLE)
def get_statistics(dataset_id: int, query: RevisionQueryValues) -> Mapping[str, object]:
    """Get statistics: classes by split, sizes of boxes and images, aspect ratios, centers, class pairs."""
    return services().datasets.contents.statistics(dataset_id, query.get("revision"))


@blueprint.get("/<id:dataset_id>/findings")
@blueprint.input(FindingQuery, location="query", arg_name="query")
@blueprint.output(FindingPage)
@blueprint.doc(responses=UNAVAILABLE)
def list_findings(dataset_id: int, query: FindingQueryValues) -> FindingsView:
    """List issues by file and line, errors first: what YOLO does with each, and the fix if there is one."""
    return services().datasets.contents.findings(dataset_id, query)


@blueprint.get("/<id:dataset_id>/report.json")
@blueprint.input(RevisionQuery, location="query", arg_name="query")
@blueprint.output(ReportOut, description="Summary, counts and all issues")
@blueprint.doc(responses=UNAVAILABLE)
def download_report_json(dataset_id: int, query: RevisionQueryValues) -> Response:
    """Download all issues as JSON."""
    pieces = services().datasets.contents.report_json(dataset_id, query.get("revision"))
    return download(pieces, "application/json", f"dataset-{dataset_id}-findings.json")


@blueprint.get("/<id:dataset_id>/report.csv")
@blueprint.input(RevisionQuery, location="query", arg_name="query")
@blueprint.doc(responses=described("text/csv", "A row for each issue"))
def download_report_csv(dataset_id: int, query: RevisionQueryValues) -> Response:
    """Download all issues as CSV."""
    pieces = services().datasets.contents.report_csv(dataset_id, query.get("revision"))
    return download(pieces, "text/csv", f"dataset-{dataset_id}-findings.csv")


def download(pieces: Any, mimetype: str, name: str) -> Response:
    """A response that browsers save under a name."""
    response = Response(stream_with_context(pieces), mimetype=mimetype)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@blueprint.post("/<id:dataset_id>/fix")
@blueprint.input(FixIn, arg_name="body")
@blueprint.output(RevisionStarted, status_code=202)
@blueprint.doc(
    responses=UNAVAILABLE
    | {409: "A version is being created, or there are no fixable issues.", 422: "No automatic fix."}
)
def fix_dataset(dataset_id: int, body: FixInValues) -> RevisionStartedValues:
    """Create a version with fixed issues. The original upload and earlier versions are kept."""
    return started(services().datasets.contents.fix(dataset_id, body["codes"]))
