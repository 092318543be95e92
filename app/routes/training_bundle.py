"""Reproducing a training: its bundle, and the same run once more."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from app.rates import TRAININGS, limited
from app.routes.once import request_key
from app.schemas import KeyHeader, RunAgainIn, TrainingCreated
from app.schemas.reproduce import RunAgainInValues
from app.schemas.training_actions import KeyHeaderValues
from app.schemas.trainings import TrainingCreatedValues
from app.services import services

blueprint = APIBlueprint("training_bundle", __name__, tag="Bundles")

BUNDLE: dict[int | str, Any] = {
    200: {
        "description": "A ZIP: config.yaml, args.yaml for plain ultralytics, weights, results, plots, logs, README.md",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "The run doesn't exist, or hasn't started."},
}


@blueprint.get("/api/trainings/<id:training_id>/bundle")
@blueprint.doc(responses=BUNDLE)
def download_bundle(training_id: int) -> Response:
    """Download everything needed to reproduce a run."""
    pieces, name = services().trainer.bundles.bundle(training_id)
    response = Response(pieces, mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/api/trainings/<id:training_id>/run-again")
@limited(TRAININGS)
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.input(RunAgainIn, arg_name="values")
@blueprint.output(TrainingCreated, status_code=201)
@blueprint.doc(
    description="Queues a run with the configuration that was actually used: seed, batch size, optimizer, "
    "initial weights.",
    responses={404: "The run doesn't exist.", 409: "Its dataset, initial weights or device have changed since."},
)
def run_again(training_id: int, header: KeyHeaderValues, values: RunAgainInValues) -> TrainingCreatedValues:
    """Rerun a run with the same settings."""
    return services().trainer.reruns.run_again(
        training_id, values["anyway"], request_key(header, f"run-again/{training_id}")
    )
