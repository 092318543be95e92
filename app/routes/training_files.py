"""A training's files: results, log, weights, checkpoints."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, send_file

from app.schemas import CheckpointsOut, CsvOut, LogOut, LogQuery
from app.schemas.training_actions import CheckpointsOutValues
from app.schemas.trainings import LogOutValues, LogQueryValues
from app.services import services
from app.services.trainer.results import as_csv

blueprint = APIBlueprint("training_files", __name__, tag="Trainings")

DOWNLOAD: dict[int | str, Any] = {
    200: {
        "description": "The weights (.pt)",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "The run doesn't exist, or has no weights."},
    409: {"description": "The file is damaged; `whole` names checkpoints that are not."},
}


@blueprint.get("/api/trainings/<id:training_id>/csv-data")
@blueprint.output(CsvOut)
@blueprint.doc(
    description="results.csv as ultralytics wrote it: as JSON, or the file itself for `Accept: text/csv`. Where it is"
    " damaged, the same table from the epochs that were recorded.",
    responses={404: "The run doesn't exist, or its first epoch isn't finished."},
)
def get_csv(training_id: int) -> Any:
    """Get results.csv."""
    columns, rows, path = services().trainer.files.results(training_id)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) != "text/csv":
        return {"columns": columns, "rows": rows}
    name = f"results-{training_id}.csv"
    if path is not None:
        return send_file(path, mimetype="text/csv", as_attachment=True, download_name=name)
    response = Response(as_csv(columns, rows), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@blueprint.get("/api/trainings/<id:training_id>/log")
@blueprint.input(LogQuery, location="query", arg_name="query")
@blueprint.output(LogOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def get_log(training_id: int, query: LogQueryValues) -> LogOutValues:
    """Get the output of the training process, in whole lines."""
    text, offset = services().trainer.files.log(training_id, query["after"])
    return {"text": text, "offset": offset}


@blueprint.get("/api/trainings/<id:training_id>/download")
@blueprint.doc(responses=DOWNLOAD)
def download_weights(training_id: int) -> Response:
    """Download the best weights."""
    path, name = services().trainer.files.weights(training_id)
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=name, max_age=0)


@blueprint.get("/models/<id:training_id>/best.pt")
@blueprint.doc(hide=True)
def download_best(training_id: int) -> Response:
    """The address that `training_completed` names."""
    return download_weights(training_id)


@blueprint.get("/api/trainings/<id:training_id>/checkpoints")
@blueprint.output(CheckpointsOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_checkpoints(training_id: int) -> CheckpointsOutValues:
    """List the available checkpoints, newest first."""
    return services().trainer.files.checkpoints(training_id)


@blueprint.get("/api/trainings/<id:training_id>/checkpoints/<which>/download")
@blueprint.doc(
    description="`which`: best, last, or an epoch number.",
    responses=DOWNLOAD | {404: "The run or the checkpoint doesn't exist."},
)
def download_checkpoint(training_id: int, which: str) -> Response:
    """Download a checkpoint."""
    path, name = services().trainer.files.checkpoint(training_id, which)
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=name, max_age=0)
