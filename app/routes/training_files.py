"""What a training leaves: results, log, weights, checkpoints."""

import csv
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, send_file

from app.schemas import CheckpointsOut, CsvOut, LogOut, LogQuery
from app.services import services

blueprint = APIBlueprint("training_files", __name__, tag="Trainings")

DOWNLOAD: dict[int | str, Any] = {
    200: {
        "description": "The weights (.pt)",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "The run doesn't exist, or has no weights."},
}


@blueprint.get("/api/trainings/<id:training_id>/csv-data")
@blueprint.output(CsvOut)
@blueprint.doc(
    description="results.csv as ultralytics wrote it: as JSON, or the file itself for `Accept: text/csv`.",
    responses={404: "The run doesn't exist, or its first epoch isn't finished."},
)
def get_csv(training_id: int) -> Any:
    """Get results.csv."""
    path = services().trainer.results_csv(training_id)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return send_file(path, mimetype="text/csv", as_attachment=True, download_name=f"results-{training_id}.csv")
    with open(path, newline="", encoding="utf-8") as file:
        columns, *rows = [[cell.strip() for cell in line] for line in csv.reader(file) if line] or [[]]
    return {"columns": columns, "rows": [[number(cell) for cell in row] for row in rows]}


def number(cell: str) -> int | float | str | None:
    """A cell of a CSV file as JSON: numbers as such, nothing for what JSON cannot hold."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    if value != value or value in {float("inf"), float("-inf")}:
        return None
    return int(value) if cell.lstrip("-").isdigit() else value


@blueprint.get("/api/trainings/<id:training_id>/log")
@blueprint.input(LogQuery, location="query", arg_name="query")
@blueprint.output(LogOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def get_log(training_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """Get the output of the training process, in whole lines."""
    text, offset = services().trainer.log(training_id, query["after"])
    return {"text": text, "offset": offset}


@blueprint.get("/api/trainings/<id:training_id>/download")
@blueprint.doc(responses=DOWNLOAD)
def download_weights(training_id: int) -> Response:
    """Download the best weights."""
    path, name = services().trainer.weights(training_id)
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=name, max_age=0)


@blueprint.get("/models/<id:training_id>/best.pt")
@blueprint.doc(hide=True)
def download_best(training_id: int) -> Response:
    """The address that `training_completed` names."""
    return download_weights(training_id)


@blueprint.get("/api/trainings/<id:training_id>/checkpoints")
@blueprint.output(CheckpointsOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_checkpoints(training_id: int) -> dict[str, Any]:
    """List the available checkpoints, newest first."""
    return services().trainer.checkpoints(training_id)


@blueprint.get("/api/trainings/<id:training_id>/checkpoints/<which>/download")
@blueprint.doc(
    description="`which`: best, last, or an epoch number.",
    responses=DOWNLOAD | {404: "The run or the checkpoint doesn't exist."},
)
def download_checkpoint(training_id: int, which: str) -> Response:
    """Download a checkpoint."""
    path, name = services().trainer.checkpoint(training_id, which)
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=name, max_age=0)
