"""A model as a service: an image in, detections out."""

from typing import IO, Any

from apiflask import APIBlueprint
from flask import request
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage

from app.errors import Unprocessable, WrongType
from app.rates import PREDICT, limited
from app.schemas import PredictForm, PredictionOut, PredictQuery
from app.schemas.predictions import PredictFormValues, PredictionOutValues, PredictQueryValues
from app.services import services

blueprint = APIBlueprint("predictions", __name__, tag="Model predictions")

RESPONSES: dict[int | str, Any] = {
    404: "The run doesn't exist.",
    409: "The run has no weights yet, they are damaged, or it is in the trash.",
    413: "The image, or the request, is too large.",
    415: "The body is neither an image (`image/*`) nor a form.",
    422: "No image, a damaged one, or a parameter that can't be used.",
    429: "Many images are already being analyzed: wait as `Retry-After` says.",
    503: "The model can't answer now: wait as `Retry-After` says.",
}


@blueprint.post("/api/models/<id:training_id>/predict")
@limited(PREDICT)
@blueprint.input(PredictQuery, location="query", arg_name="query")
@blueprint.input(PredictForm, location="form_and_files", arg_name="form")
@blueprint.output(PredictionOut)
@blueprint.doc(responses=RESPONSES)
def predict(training_id: int, query: PredictQueryValues, form: PredictFormValues) -> PredictionOutValues:
    """Detect objects in an image with the best weights of a run.

    Send the image as the body (`Content-Type: image/jpeg`), or as `file` of a form. Nothing is kept. Thresholds that
    are not sent are those that were chosen for the model. The fastest verified engine runs it, and `engine` names it.
    Images of requests that come at the same time run together.
    """
    image, filename = sent_image(form.get("file"))
    return services().inference.serving.predict(training_id, image, filename, merged(query, form))


def merged(query: PredictQueryValues, form: PredictFormValues) -> PredictQueryValues:
    """The parameters of a request: fields of its form come before the query."""
    values = query.copy()
    if "confidence" in form:
        values["confidence"] = form["confidence"]
    if "iou" in form:
        values["iou"] = form["iou"]
    if "classes" in form:
        values["classes"] = form["classes"]
    if "format" in form:
        values["format"] = form["format"]
    return values


def sent_image(file: FileStorage | None) -> tuple[IO[bytes], str | None]:
    """The image of this request, and its name if it has one.

    Raises:
        WrongType: the body is not an image.
        Unprocessable: there is none.
    """
    if file is not None:
        return file.stream, file.filename or ""
    if request.mimetype.startswith("image/"):
        return request.stream, None
    if request.mimetype in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        message = _("Send an image as `file`.")
        raise Unprocessable(message, [{"field": "file", "message": message}])
    raise WrongType(_("Send an image as the body with its own Content-Type, such as image/jpeg, or a form."))
