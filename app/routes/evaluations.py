"""Evaluations: a trained model, measured on a split of a dataset."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file

from app.core.thresholds import ModelThresholds
from app.routes.once import request_key
from app.schemas import (
    AdviceOut,
    AdviceQuery,
    ChosenThresholds,
    ComparisonOut,
    ComparisonQuery,
    CurvesOut,
    EvaluatedPage,
    EvaluationDeleted,
    EvaluationDetail,
    EvaluationIn,
    EvaluationsOut,
    EvaluationStarted,
    KeyHeader,
    MatrixOut,
    OthersOut,
    OutcomeQuery,
    SuspectPage,
    SuspectQuery,
    ThresholdQuery,
)
from app.schemas.evaluation_contents import (
    AdviceQueryValues,
    ComparisonQueryValues,
    OutcomeQueryValues,
    SuspectQueryValues,
    ThresholdQueryValues,
)
from app.schemas.evaluations import (
    ChosenThresholdsValues,
    EvaluationDeletedValues,
    EvaluationDetailValues,
    EvaluationInValues,
    EvaluationsOutValues,
    EvaluationStartedValues,
)
from app.schemas.training_actions import KeyHeaderValues
from app.services import services
from app.services.evaluations import read_models
from app.services.evaluations.read_models import CurvesView

blueprint = APIBlueprint("evaluations", __name__, tag="Evaluations")

ENDED: dict[int | str, Any] = {
    404: "The evaluation doesn't exist.",
    409: "It isn't completed, or its files are damaged.",
}
PICTURE: dict[int | str, Any] = {
    200: {
        "description": "The image",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    **ENDED,
}
MISSING: dict[int | str, Any] = {404: "The evaluation doesn't exist."}


@blueprint.post("/api/trainings/<id:training_id>/evaluations")
@blueprint.input(EvaluationIn, arg_name="values")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(EvaluationStarted, status_code=202)
@blueprint.doc(
    description="A background job. Any run that has weights can be evaluated, whatever its state. With another "
    "dataset, classes of the same name are the same; others are mapped by `classes`.",
    responses={
        404: "The run doesn't exist.",
        409: "The run has no such weights, or the dataset isn't ready.",
        422: "The split is empty, or the dataset doesn't fit. `missing`: its classes that the model doesn't know.",
    },
)
def create_evaluation(training_id: int, values: EvaluationInValues, header: KeyHeaderValues) -> EvaluationStartedValues:
    """Evaluate a run's weights on a split of a dataset."""
    return services().evaluations.create(training_id, values, request_key(header, f"evaluate/{training_id}"))


@blueprint.get("/api/trainings/<id:training_id>/evaluations")
@blueprint.output(EvaluationsOut)
@blueprint.doc(responses={404: "The run doesn't exist."})
def list_evaluations(training_id: int) -> EvaluationsOutValues:
    """List the evaluations of a run, newest first."""
    return {"evaluations": services().evaluations.of_training(training_id)}


@blueprint.get("/api/evaluations/<id:evaluation_id>")
@blueprint.output(EvaluationDetail)
@blueprint.doc(responses=MISSING)
def get_one_evaluation(evaluation_id: int) -> EvaluationDetailValues:
    """Get an evaluation: its state and its figures."""
    return services().evaluations.get(evaluation_id)


@blueprint.delete("/api/evaluations/<id:evaluation_id>")
@blueprint.output(EvaluationDeleted)
@blueprint.doc(responses=MISSING)
def delete_evaluation(evaluation_id: int) -> EvaluationDeletedValues:
    """Delete an evaluation. One that is in progress is stopped."""
    return services().evaluations.delete(evaluation_id)


@blueprint.get("/api/evaluations/<id:evaluation_id>/matrix")
@blueprint.input(ThresholdQuery, location="query", arg_name="query")
@blueprint.output(MatrixOut)
@blueprint.doc(responses=ENDED)
def get_matrix(evaluation_id: int, query: ThresholdQueryValues) -> read_models.Matrix:
    """Get the confusion matrix, at any confidence and IoU."""
    return services().evaluations.matrix(evaluation_id, query)


@blueprint.get("/api/evaluations/<id:evaluation_id>/images")
@blueprint.input(OutcomeQuery, location="query", arg_name="query")
@blueprint.output(EvaluatedPage)
@blueprint.doc(responses=ENDED | {422: "The model has no such class."})
def list_evaluated_images(evaluation_id: int, query: OutcomeQueryValues) -> read_models.EvaluatedPageView:
    """List the images with their objects and detections: missed, false, wrong class, duplicate or correct."""
    return services().evaluations.images(evaluation_id, query)


@blueprint.get("/api/evaluations/<id:evaluation_id>/images/<id:image_id>/file")
@blueprint.doc(responses=PICTURE)
def get_evaluated_image(evaluation_id: int, image_id: int) -> Response:
    """Get an image as the model saw it."""
    return send_file(services().evaluations.image_file(evaluation_id, image_id, small=False), conditional=True)


@blueprint.get("/api/evaluations/<id:evaluation_id>/images/<id:image_id>/thumbnail")
@blueprint.doc(responses=PICTURE)
def get_evaluated_thumbnail(evaluation_id: int, image_id: int) -> Response:
    """Get a small copy of an image, or the image itself if there is none."""
    return send_file(services().evaluations.image_file(evaluation_id, image_id, small=True), conditional=True)


@blueprint.get("/api/evaluations/<id:evaluation_id>/label-errors")
@blueprint.input(SuspectQuery, location="query", arg_name="query")
@blueprint.output(SuspectPage)
@blueprint.doc(responses=ENDED)
def list_label_errors(evaluation_id: int, query: SuspectQueryValues) -> read_models.SuspectPageView:
    """List what looks like an error of the labels, the most suspicious first."""
    return services().evaluations.label_errors(evaluation_id, query)


@blueprint.get("/api/evaluations/<id:evaluation_id>/compare")
@blueprint.output(OthersOut)
@blueprint.doc(responses=MISSING)
def list_comparable(evaluation_id: int) -> read_models.ComparableEvaluations:
    """List the evaluations that this one can be compared with."""
    return services().evaluations.comparable(evaluation_id)


@blueprint.get("/api/evaluations/<id:evaluation_id>/compare/<id:other_id>")
@blueprint.input(ComparisonQuery, location="query", arg_name="query")
@blueprint.output(ComparisonOut)
@blueprint.doc(responses=ENDED | {422: "They were measured on different images, or with different classes."})
def compare_evaluations(
    evaluation_id: int, other_id: int, query: ComparisonQueryValues
) -> read_models.EvaluationDifference:
    """Compare two evaluations on the same images."""
    return services().evaluations.compare(evaluation_id, other_id, query)


@blueprint.get("/api/evaluations/<id:evaluation_id>/curves")
@blueprint.output(CurvesOut)
@blueprint.doc(responses=ENDED)
def get_curves(evaluation_id: int) -> CurvesView:
    """Get precision, recall and F1 over the confidence, and precision over the recall, overall and for each class."""
    return services().evaluations.curves(evaluation_id)


@blueprint.get("/api/evaluations/<id:evaluation_id>/thresholds")
@blueprint.input(AdviceQuery, location="query", arg_name="query")
@blueprint.output(AdviceOut)
@blueprint.doc(responses=ENDED)
def get_thresholds(evaluation_id: int, query: AdviceQueryValues) -> read_models.ThresholdAdvice:
    """Get the confidence threshold for a goal, overall and for each class."""
    return services().evaluations.thresholds(evaluation_id, query)


@blueprint.put("/api/trainings/<id:training_id>/thresholds")
@blueprint.input(ChosenThresholds, arg_name="values")
@blueprint.output(ChosenThresholds)
@blueprint.doc(responses={404: "The run doesn't exist.", 422: "The model has no such class."})
def choose_thresholds(training_id: int, values: ChosenThresholdsValues) -> ModelThresholds:
    """Store the confidence thresholds to use with a model. Without values, the stored ones are removed."""
    return services().evaluations.choose_thresholds(training_id, values)
