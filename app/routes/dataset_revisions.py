"""Versions of a dataset, and its downloads: the original upload, and exports."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, send_file
from flask_babel import gettext as _

from app.models.dataset import DatasetRevision
from app.schemas import ExportQuery, RevisionIn, RevisionsOut, RevisionStarted, SplitPreviewIn, SplitPreviewOut
from app.schemas.datasets import ExportQueryValues
from app.schemas.revisions import (
    RevisionInValues,
    RevisionsOutValues,
    RevisionStartedValues,
    SplitPreviewInValues,
    SplitPreviewOutValues,
)
from app.services import services
from app.services.datasets.split_preview import split_preview

blueprint = APIBlueprint("dataset_revisions", __name__, url_prefix="/api/datasets", tag="Datasets")

ZIP: dict[int | str, Any] = {
    200: {
        "description": "The ZIP",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "The dataset or file doesn't exist."},
}


def started(row: DatasetRevision) -> RevisionStartedValues:
    """The answer to a request for a new version."""
    return {
        "message": _("Creating version %(number)s", number=row.number),
        "revision": row.number,
        "status": row.status,
    }


@blueprint.get("/<id:dataset_id>/revisions")
@blueprint.output(RevisionsOut)
@blueprint.doc(responses=[404])
def list_revisions(dataset_id: int) -> RevisionsOutValues:
    """List a dataset's versions, newest first, with the runs that use them."""
    datasets = services().datasets
    current = datasets.store.get(dataset_id).revision
    revisions = datasets.revisions.revisions(dataset_id)
    rows = [datasets.views.view_revision(row, current, used) for row, used in revisions]
    return {"revisions": rows, "current": current}


@blueprint.post("/<id:dataset_id>/revisions")
@blueprint.input(RevisionIn, arg_name="changes")
@blueprint.output(RevisionStarted, status_code=202)
@blueprint.doc(
    responses={
        404: "The dataset doesn't exist.",
        409: "A version is being created.",
        422: "The options can't be applied.",
    }
)
def create_revision(dataset_id: int, changes: RevisionInValues) -> RevisionStartedValues:
    """Create another version from the original files. Options that are left out stay as they are; null resets one.

    `fixes` fixes issues in the same version, also those that the change causes (such as a task that needs polygons).
    """
    fixes = changes.pop("fixes", None)
    return started(services().datasets.revisions.revise(dataset_id, changes, fixes))


@blueprint.post("/<id:dataset_id>/split-preview")
@blueprint.input(SplitPreviewIn, arg_name="values")
@blueprint.output(SplitPreviewOut)
@blueprint.doc(responses={404: "There is no such dataset.", 409: "The version is from before such previews."})
def preview_split(dataset_id: int, values: SplitPreviewInValues) -> SplitPreviewOutValues:
    """Say what a new split would be: the numbers of the version that it would make. Nothing is changed."""
    all_services = services()
    return split_preview(all_services.storage, all_services.datasets.store.get(dataset_id), values["split"])


@blueprint.post("/<id:dataset_id>/revisions/<id:number>/use")
@blueprint.output(RevisionStarted)
@blueprint.doc(responses={404: "The dataset or version doesn't exist.", 409: "The version can't be used."})
def use_revision(dataset_id: int, number: int) -> RevisionStartedValues:
    """Make a version the current one. Existing runs keep the version they used."""
    row = services().datasets.revisions.use(dataset_id, number)
    return {
        "message": _("Version %(number)s is now the current one", number=row.number),
        "revision": row.number,
        "status": row.status,
    }


@blueprint.get("/<id:dataset_id>/original")
@blueprint.doc(responses=ZIP)
def download_original(dataset_id: int) -> Response:
    """Download the original upload."""
    path, name = services().datasets.files.original(dataset_id)
    return send_file(path, mimetype="application/zip", as_attachment=True, download_name=name, max_age=0)


@blueprint.get("/<id:dataset_id>/export")
@blueprint.input(ExportQuery, location="query", arg_name="query")
@blueprint.doc(
    responses=ZIP | {202: {"description": "The export is in progress: message, job_id, status. Request it again."}}
)
def export_dataset(dataset_id: int, query: ExportQueryValues) -> Any:
    """Download a version as a ZIP in YOLO, COCO or Pascal VOC format.

    The first time it has to be made: where that takes longer than a second, the answer is 202 with the job, and the
    same request gives the file once the job has completed. HEAD makes nothing.
    """
    exports, choice = services().exports, (dataset_id, query["format"], query.get("revision"))
    path, name = exports.find(*choice)
    if not path.is_file():
        if request.method == "HEAD":  # HEAD reports what exists, and starts nothing
            return Response(status=202)
        if job := exports.create(*choice):
            body = {"message": _("The export is being made."), "job_id": job.id, "status": job.status}
            return body, 202, {"Location": f"/api/jobs/{job.id}", "Retry-After": "1"}
    return send_file(path, mimetype="application/zip", as_attachment=True, download_name=name, max_age=0)
