"""Models in the formats of other runtimes, verified before they are offered."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from flask_babel import gettext as _

from app.schemas import (
    ExportFormatsOut,
    ModelExportDeleted,
    ModelExportIn,
    ModelExportOut,
    ModelExportsOut,
    ModelExportStarted,
)
from app.schemas.exports import (
    ExportFormatsOutValues,
    ModelExportDeletedValues,
    ModelExportInValues,
    ModelExportOutValues,
    ModelExportsOutValues,
)
from app.services import services

blueprint = APIBlueprint("exports", __name__, tag="Model exports")

PACKAGE: dict[int | str, Any] = {
    200: {
        "description": "A ZIP: the model, names.json, thresholds.json, README.md (the model card), example.py",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "The export doesn't exist, or its files are missing."},
    409: {"description": "It is not offered: it isn't ready, or it failed."},
}


@blueprint.get("/api/export-formats")
@blueprint.output(ExportFormatsOut)
def list_formats() -> ExportFormatsOutValues:
    """List the formats that a model can be exported to. Those that can't be made here say why."""
    return {"formats": services().model_exports.formats()}


@blueprint.post("/api/trainings/<id:training_id>/exports")
@blueprint.input(ModelExportIn, arg_name="values")
@blueprint.output(ModelExportStarted, status_code=202)
@blueprint.doc(
    responses={
        200: "The same export is there already, or has failed for a reason that stays (`status`).",
        404: "The run doesn't exist.",
        409: "The run has no weights yet, they are damaged, or it is in the trash.",
    }
)
def export_model(training_id: int, values: ModelExportInValues) -> Any:
    """Export the best weights of a run.

    The export is compared with the .pt on the validation images. It is offered only where its mAP50-95 is at most 0.2
    points lower (INT8: 1 point). The same request again gives the export that is there; delete it to have it made
    anew.
    """
    row, has_ended = services().model_exports.request(training_id, values)
    state = services().model_exports.state(row)
    message = _("The export is ready.") if has_ended else _("The model is being exported.")
    if state["error"]:
        message = state["error"]["message"]
    body = {"message": message, "export_id": row.id, "job_id": row.job_id, "status": state["status"]}
    return body, 200 if has_ended else 202, {"Location": f"/api/exports/{row.id}"}


@blueprint.get("/api/trainings/<id:training_id>/exports")
@blueprint.output(ModelExportsOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_exports(training_id: int) -> ModelExportsOutValues:
    """List the exports of a run, newest first."""
    return {"exports": services().model_exports.of_training(training_id)}


@blueprint.get("/api/exports/<id:export_id>")
@blueprint.output(ModelExportOut)
@blueprint.doc(responses={404: "The export doesn't exist."})
def get_export(export_id: int) -> ModelExportOutValues:
    """Get an export with its verification."""
    exports = services().model_exports
    return exports.view(exports.get(export_id))


@blueprint.delete("/api/exports/<id:export_id>")
@blueprint.output(ModelExportDeleted)
@blueprint.doc(responses={404: "The export doesn't exist."})
def delete_export(export_id: int) -> ModelExportDeletedValues:
    """Delete an export with its files; one in progress is stopped."""
    return services().model_exports.delete(export_id)


@blueprint.get("/api/exports/<id:export_id>/download")
@blueprint.doc(responses=PACKAGE)
def download_export(export_id: int) -> Response:
    """Download a verified export with its model card, thresholds and an example."""
    pieces, name = services().model_exports.download(export_id)
    response = Response(pieces, mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response
