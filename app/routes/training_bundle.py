"""Reproducing a training: its bundle, and the same run once more."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from flask_babel import gettext as _

from app.schemas import RunAgainIn, TrainingCreated
from app.services import services

blueprint = APIBlueprint("training_bundle", __name__, tag="Trainings")

BUNDLE: dict[int | str, Any] = {
    200: {
        "description": "A ZIP: config.yaml, args.yaml for plain ultralytics, weights, results, plots, logs, README.md",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: {"description": "There is no such training, or it has not started."},
}


@blueprint.get("/api/trainings/<id:training_id>/bundle")
@blueprint.doc(responses=BUNDLE)
def download_bundle(training_id: int) -> Response:
    """Download everything that is needed to reproduce a training."""
    pieces, name = services().trainer.bundle(training_id)
    response = Response(pieces, mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/api/trainings/<id:training_id>/run-again")
@blueprint.input(RunAgainIn, arg_name="values")
@blueprint.output(TrainingCreated, status_code=201)
@blueprint.doc(
    description="Queues a training with the configuration that was really used: seed, batch, optimizer, start weights.",
    responses={404: "There is no such training.", 409: "Its dataset, start weights or device have changed since."},
)
def run_again(training_id: int, values: dict[str, Any]) -> dict[str, Any]:
    """Run the same training once more."""
    new_id = services().trainer.run_again(training_id, values["anyway"])
    return {"message": _("Training started"), "training_id": new_id, "status": "pending"}
