"""Videos and many images that a model is tried on, as jobs."""

from typing import Any

from apiflask import APIBlueprint, abort
from flask import Response, request, send_file
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage

from app.errors import Unprocessable
from app.rates import TESTS, limited
from app.routes.once import form_key
from app.schemas import (
    KeyHeader,
    PredictionFileQuery,
    PredictionRunDeleted,
    PredictionRunForm,
    PredictionRunOut,
    PredictionRunPage,
    PredictionRunQuery,
    PredictionRunStarted,
)
from app.schemas.prediction_runs import (
    PredictionFileQueryValues,
    PredictionRunDeletedValues,
    PredictionRunFormValues,
    PredictionRunOutValues,
    PredictionRunPageValues,
    PredictionRunQueryValues,
)
from app.schemas.training_actions import KeyHeaderValues
from app.services import services
from app.services.predictions.inputs import InputFile, PredictionInput

blueprint = APIBlueprint(
    "prediction_runs", __name__, url_prefix="/api/predictions", tag="Predictions of videos and images"
)

TYPES = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "zip": "application/zip",
}
FILE: dict[int | str, Any] = {
    200: {
        "description": "The file. Video players may ask for a part of it (`Range`).",
        "content": {kind.partition(";")[0]: {} for kind in TYPES.values()},
    },
    404: {"description": "The prediction doesn't exist, or it has no such file."},
    409: {"description": "The prediction isn't ready, or it failed."},
}


@blueprint.before_request
def multipart_only() -> None:
    """Refuse other content types at once, rather than report missing fields."""
    if request.method == "POST" and request.mimetype != "multipart/form-data":
        abort(415)


@blueprint.post("")
@limited(TESTS)
@blueprint.input(PredictionRunForm, location="form_and_files", arg_name="form")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(PredictionRunStarted, status_code=202)
@blueprint.doc(
    responses={
        404: "The run or the checkpoint doesn't exist.",
        409: "The run has no weights yet, they are damaged, or it is in the trash.",
        413: "The request is too large, or has more than 1,000 parts.",
        415: "The body is not a form with a file.",
        422: "The file is neither a video nor a ZIP, there is none, or a threshold can't be used.",
        507: "The disk is full.",
    }
)
def create(form: PredictionRunFormValues, header: KeyHeaderValues) -> Any:
    """Detect objects in a video or in many images with the weights of a run.

    Send a video or a ZIP of images as `file`, or the images as `files`. Of a video, a job makes an annotated one that
    browsers play, and the detections of each frame as JSON and CSV. Objects are followed from frame to frame and keep
    their `track_id`. Times are those of the video, also where its frame rate varies; rotated videos are turned upright.
    The sound is left out. Of images, it makes the detections as JSON, CSV and YOLO labels; an image that can't be
    read is named and left out.
    """
    sent = sent_files(form.get("file"), form.get("files") or [])
    key = form_key(header, "predict", form, sent)
    answer = dict(services().predictions.create(sent, form, key))
    video = answer.pop("source") == "video"
    message = _("The video is being analyzed.") if video else _("The images are being analyzed.")
    return {"message": message} | answer, 202, {"Location": f"/api/predictions/{answer['prediction_id']}"}


def sent_files(file: FileStorage | None, files: list[FileStorage]) -> PredictionInput:
    """The files of this request.

    Raises:
        Unprocessable: there are no files, or both fields have some.
    """
    sent = [InputFile(item.stream, item.filename or "") for item in ([file] if file is not None else files)]
    if not sent or (file is not None and files):
        message = _("Send a video or a ZIP as `file`, or images as `files`.")
        raise Unprocessable(message, [{"field": "file", "message": message}])
    return PredictionInput(sent, many=file is None)


@blueprint.get("")
@blueprint.input(PredictionRunQuery, location="query", arg_name="query")
@blueprint.output(PredictionRunPage)
def index(query: PredictionRunQueryValues) -> PredictionRunPageValues:
    """List predictions, newest first."""
    predictions = services().predictions
    page = predictions.page(**query)
    return {
        "predictions": predictions.views(page.items),
        "total": page.total or 0,
        "page": page.page,
        "per_page": page.per_page,
        "pages": page.pages,
    }


@blueprint.get("/<id:prediction_id>")
@blueprint.output(PredictionRunOut)
@blueprint.doc(responses={404: "The prediction doesn't exist."})
def show(prediction_id: int) -> PredictionRunOutValues:
    """Get a prediction with its progress and its files."""
    predictions = services().predictions
    return predictions.view(predictions.get(prediction_id))


@blueprint.delete("/<id:prediction_id>")
@blueprint.output(PredictionRunDeleted)
@blueprint.doc(responses={404: "The prediction doesn't exist."})
def delete(prediction_id: int) -> PredictionRunDeletedValues:
    """Delete a prediction with its files; one in progress is stopped."""
    return services().predictions.delete(prediction_id)


@blueprint.get("/<id:prediction_id>/files/<name>")
@blueprint.input(PredictionFileQuery, location="query", arg_name="query")
@blueprint.doc(responses=FILE)
def file(prediction_id: int, name: str, query: PredictionFileQueryValues) -> Response:
    """Get a file of a prediction: the video, the JSON, the CSV or the YOLO labels."""
    path = services().predictions.file_of(prediction_id, name)
    kind = TYPES[name.rpartition(".")[2]]
    saved = f"prediction-{prediction_id}-{name}"
    return send_file(path, mimetype=kind, conditional=True, as_attachment=query["download"], download_name=saved)
