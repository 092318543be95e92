"""What a training leaves for looking at: previews of each epoch, the evaluation, ultralytics' plots."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file

from app.schemas import EvaluationOut, PreviewOut, PreviewsOut, RunFilesOut, VerdictOut
from app.services import services

blueprint = APIBlueprint("training_views", __name__, tag="Training views")

MISSING: dict[int | str, Any] = {404: "There is no such training, or nothing of that kind."}
PICTURE: dict[int | str, Any] = {
    200: {
        "description": "The picture",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    **MISSING,
}


@blueprint.get("/api/trainings/<id:training_id>/previews")
@blueprint.output(PreviewsOut)
@blueprint.doc(responses={404: "There is no such training."})
def list_previews(training_id: int) -> dict[str, Any]:
    """Show which validation images are predicted after each epoch, what is in them, and which epochs are kept."""
    return services().trainer.previews(training_id)


@blueprint.get("/api/trainings/<id:training_id>/previews/<id:epoch>")
@blueprint.output(PreviewOut)
@blueprint.doc(responses=MISSING)
def get_preview(training_id: int, epoch: int) -> Response:
    """Show what the model found in them after an epoch."""
    return send_file(services().trainer.preview(training_id, epoch), "application/json", max_age=0)


@blueprint.get("/api/trainings/<id:training_id>/previews/images/<int:number>")
@blueprint.doc(responses=PICTURE)
def get_preview_image(training_id: int, number: int) -> Response:
    """Show one of these images, small."""
    return send_file(services().trainer.preview_image(training_id, number), "image/jpeg", max_age=0)


@blueprint.get("/api/trainings/<id:training_id>/verdict")
@blueprint.output(VerdictOut)
@blueprint.doc(responses={404: "There is no such training, or it has not ended."})
def get_verdict(training_id: int) -> dict[str, Any]:
    """Show what the model of an ended training is good for, where it is weak, how sure that is, and what to do next."""
    return services().trainer.verdict(training_id)


@blueprint.get("/api/trainings/<id:training_id>/evaluation")
@blueprint.output(EvaluationOut)
@blueprint.doc(responses=MISSING)
def get_evaluation(training_id: int) -> dict[str, Any]:
    """Show the final validation: confusion matrix, curves, best confidence, and the images behind the errors."""
    return services().trainer.evaluation(training_id)


@blueprint.get("/api/trainings/<id:training_id>/evaluation/images/<int:number>")
@blueprint.doc(responses=PICTURE)
def get_evaluation_image(training_id: int, number: int) -> Response:
    """Show one of the evaluation's images, small."""
    return send_file(services().trainer.evaluation_image(training_id, number), "image/jpeg", max_age=0)


@blueprint.get("/api/trainings/<id:training_id>/files")
@blueprint.output(RunFilesOut)
@blueprint.doc(responses={404: "There is no such training."})
def list_run_files(training_id: int) -> dict[str, Any]:
    """List ultralytics' plots; which there are depends on `plots` and on how far the run is."""
    return services().trainer.run_files(training_id)


@blueprint.get("/api/trainings/<id:training_id>/files/<name>")
@blueprint.doc(responses=PICTURE)
def get_run_file(training_id: int, name: str) -> Response:
    """Show one of the plots."""
    return send_file(services().trainer.run_file(training_id, name), max_age=0)
