"""A training's previews by epoch, its evaluation and ultralytics' plots."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file

from app.schemas import EvaluationOut, PreviewOut, PreviewsOut, RunFilesOut, VerdictOut
from app.schemas.training_views import EvaluationOutValues, PreviewsOutValues, RunFilesOutValues
from app.services import services
from app.services.trainer.verdict.parts import VerdictView

blueprint = APIBlueprint("training_views", __name__, tag="Training views")

MISSING: dict[int | str, Any] = {404: "The run doesn't exist, or has no such file."}
PICTURE: dict[int | str, Any] = {
    200: {
        "description": "The image",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    **MISSING,
}


@blueprint.get("/api/trainings/<id:training_id>/previews")
@blueprint.output(PreviewsOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_previews(training_id: int) -> PreviewsOutValues:
    """Show which validation images are predicted after each epoch, what is in them, and which epochs are kept."""
    return services().trainer.views.previews(training_id)


@blueprint.get("/api/trainings/<id:training_id>/previews/<id:epoch>")
@blueprint.output(PreviewOut)
@blueprint.doc(responses=MISSING)
def get_preview(training_id: int, epoch: int) -> Response:
    """Get the model's predictions on these images after an epoch."""
    return send_file(services().trainer.views.preview(training_id, epoch), "application/json", max_age=0)


@blueprint.get("/api/trainings/<id:training_id>/previews/images/<int:index>")
@blueprint.doc(responses=PICTURE)
def get_preview_image(training_id: int, index: int) -> Response:
    """Get a small copy of one of these images."""
    return send_file(services().trainer.views.preview_image(training_id, index), "image/jpeg", max_age=0)


@blueprint.get("/api/trainings/<id:training_id>/verdict")
@blueprint.output(VerdictOut)
@blueprint.doc(responses={404: "The run doesn't exist, or hasn't ended."})
def get_verdict(training_id: int) -> VerdictView:
    """Get the verdict on an ended run: what the model is good for, its weakness, how sure that is, the next step."""
    return services().trainer.views.verdict(training_id)


@blueprint.get("/api/trainings/<id:training_id>/evaluation")
@blueprint.output(EvaluationOut)
@blueprint.doc(responses=MISSING)
def get_evaluation(training_id: int) -> EvaluationOutValues:
    """Get the evaluation: confusion matrix, curves, recommended confidence threshold, and the images with errors."""
    return services().trainer.views.evaluation(training_id)


@blueprint.get("/api/trainings/<id:training_id>/evaluation/images/<int:index>")
@blueprint.doc(responses=PICTURE)
def get_evaluation_image(training_id: int, index: int) -> Response:
    """Get a small copy of one of the evaluation's images."""
    return send_file(services().trainer.views.evaluation_image(training_id, index), "image/jpeg", max_age=0)


@blueprint.get("/api/trainings/<id:training_id>/files")
@blueprint.output(RunFilesOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_run_files(training_id: int) -> RunFilesOutValues:
    """List the plots saved by ultralytics. They depend on `plots` and on the progress of the run."""
    return services().trainer.views.run_files(training_id)


@blueprint.get("/api/trainings/<id:training_id>/files/<name>")
@blueprint.doc(responses=PICTURE)
def get_run_file(training_id: int, name: str) -> Response:
    """Get one of the plots."""
    return send_file(services().trainer.views.run_file(training_id, name), max_age=0)
