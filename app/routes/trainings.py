"""Trainings: the queue, progress, results and weights."""

import csv
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, send_file
from flask_babel import gettext as _

from app.schemas import (
    CsvOut,
    LogOut,
    LogQuery,
    MetricsOut,
    TrainingCreated,
    TrainingIn,
    TrainingOut,
    TrainingPage,
    TrainingQuery,
)
from app.services import services

blueprint = APIBlueprint("trainings", __name__, tag="Trainings")

DOWNLOAD: dict[int | str, Any] = {
    200: {
        "description": "The weights (.pt)",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "There is no such training, or it has no weights."},
}


@blueprint.get("/api/trainings")
@blueprint.input(TrainingQuery, location="query", arg_name="query")
@blueprint.output(TrainingPage)
def list_trainings(query: dict[str, Any]) -> dict[str, Any]:
    """List trainings, by page."""
    return services().trainer.list_trainings(query)


@blueprint.post("/api/trainings")
@blueprint.input(TrainingIn, arg_name="values")
@blueprint.output(TrainingCreated, status_code=201)
@blueprint.doc(responses={409: "The dataset is not valid."})
def create_training(values: dict[str, Any]) -> dict[str, Any]:
    """Queue a training; it starts as soon as its device is free."""
    training_id = services().trainer.create(values).id
    return {"message": _("Training started"), "training_id": training_id, "status": "pending"}


@blueprint.get("/api/trainings/<id:training_id>")
@blueprint.output(TrainingOut)
@blueprint.doc(responses={404: "There is no such training."})
def get_training(training_id: int) -> dict[str, Any]:
    """Show one training."""
    return services().trainer.get_training_status(training_id)


@blueprint.get("/api/trainings/<id:training_id>/metrics")
@blueprint.output(MetricsOut)
@blueprint.doc(responses={404: "There is no such training."})
def get_metrics(training_id: int) -> dict[str, Any]:
    """Show the metrics of every epoch."""
    return services().trainer.metrics(training_id)


@blueprint.get("/api/trainings/<id:training_id>/csv-data")
@blueprint.output(CsvOut)
@blueprint.doc(
    description="results.csv as ultralytics wrote it: as JSON, or the file itself for `Accept: text/csv`.",
    responses={404: "There is no such training, or its first epoch has not ended."},
)
def get_csv(training_id: int) -> Any:
    """Show results.csv."""
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


@blueprint.post("/api/trainings/<id:training_id>/stop")
@blueprint.output(TrainingCreated, status_code=202)
@blueprint.doc(responses={404: "There is no such training.", 409: "It has ended already."})
def stop_training(training_id: int) -> dict[str, Any]:
    """Stop a training: at once when it waits, within a batch when it runs. Its weights stay."""
    status = services().trainer.cancel_training(training_id)
    return {"message": _("Stop requested"), "training_id": training_id, "status": status}


@blueprint.get("/api/trainings/<id:training_id>/log")
@blueprint.input(LogQuery, location="query", arg_name="query")
@blueprint.output(LogOut)
@blueprint.doc(responses={404: "There is no such training."})
def get_log(training_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """Show the output of the training process, in whole lines."""
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
