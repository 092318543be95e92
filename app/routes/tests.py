"""Inference on single images."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file, url_for
from flask_babel import gettext as _

from app.core.predict import Inference
from app.errors import Unprocessable
from app.models import Test
from app.rates import PREDICT, TESTS, limited
from app.routes.once import form_key
from app.schemas import (
    CheckpointChoice,
    FrameOut,
    KeyHeader,
    ModelPage,
    ModelQuery,
    PredictionRunStarted,
    TestAnswer,
    TestDeleted,
    TestForm,
    TestOptions,
    TestOut,
    TestPage,
    TestQuery,
    TestsForm,
    VideoForm,
)
from app.schemas.prediction_runs import RequestedRun
from app.schemas.tests import (
    CheckpointChoiceValues,
    ModelQueryValues,
    TestCreatedValues,
    TestDeletedValues,
    TestFormValues,
    TestOptionsValues,
    TestOutValues,
    TestPageValues,
    TestQueryValues,
    TestsFormValues,
    VideoFormValues,
)
from app.schemas.training_actions import KeyHeaderValues
from app.services import services
from app.services.idempotency import RequestKey
from app.services.infer.read_models import ModelsView
from app.services.predictions.inputs import InputFile, PredictionInput
from app.services.predictions.jobs import VIDEO

blueprint = APIBlueprint("tests", __name__, url_prefix="/api/tests", tag="Tests")


RESPONSES: dict[int | str, Any] = {
    202: {
        "description": "Of many images: the job that detects objects in them.",
        "content": {"application/json": {"schema": PredictionRunStarted}},
    },
    429: "Other images are taking long to decode: wait as `Retry-After` says.",
}


def picture(mimetype: str) -> Any:
    """The OpenAPI description of an image in a response."""
    return {200: {"description": "The image.", "content": {mimetype: {}}}}


def created(test: Test) -> TestCreatedValues:
    """The specification's response."""
    return {
        "test_id": test.id,
        "detections": test.results,
        "inference_time": test.inference_time,
        "total_time": test.total_time,
        "image_url": url_for("tests.image", test_id=test.id),
    }


def test_view(test: Test) -> TestOutValues:
    """A test in a list."""
    return {
        **created(test),
        "id": test.id,
        "training_id": test.training_id,
        "training_name": test.training.name,
        "confidence_threshold": test.confidence_threshold,
        "iou_threshold": test.iou_threshold,
        "created_at": test.created_at,
        "created_by": test.created_by,
    }


@blueprint.post("")
@limited(TESTS)
@blueprint.input(TestsForm, location="form_and_files", arg_name="form")
@blueprint.input(TestOptions, location="query", arg_name="options")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(TestAnswer, status_code=201)
@blueprint.doc(responses=RESPONSES)
def create(form: TestsFormValues, options: TestOptionsValues, header: KeyHeaderValues) -> Any:
    """Test a trained model on an image, or on many.

    A ZIP of images as `file`, or images as `files`, are a job (202), as `POST /api/predictions` starts it. The
    `Idempotency-Key` is for these; each request with a single image is a test of its own.
    """
    file, tests = form.get("file"), services().inference.tests
    files = [file] if file is not None else form["files"]
    images = [InputFile(item.stream, item.filename or "") for item in files]
    if file is None or (images[0].is_zip and images[0].name.lower().endswith(".zip")):
        sent = PredictionInput(images, many=True)
        return many(sent, form, options, form_key(header, "tests", {**form, **options}, sent))
    test = tests.create_test(
        file.stream, file.filename or "", form["training_id"], form["confidence"], form["iou"], **options
    )
    return created(test) | tests.details(test)


def many(sent: PredictionInput, form: TestsFormValues, options: TestOptionsValues, key: RequestKey | None) -> Any:
    """Queue a job for many images.

    Raises:
        Unprocessable: weaker detections were requested, or a video was sent.
    """
    if "floor" in options:
        message = _("Of many images there are no weaker detections. Leave `floor` out.")
        raise Unprocessable(message, [{"field": "floor", "message": message}])
    if sent.source() == VIDEO:
        message = _("Send an image or a ZIP as `file`, or images as `files`.")
        raise Unprocessable(message, [{"field": "files", "message": message}])
    values: RequestedRun = {
        "training_id": form["training_id"],
        "confidence": form["confidence"],
        "iou": form["iou"],
        "track": False,
    }
    if "checkpoint" in options:
        values["checkpoint"] = options["checkpoint"]
    answer = dict(services().predictions.create(sent, values, key))
    del answer["source"]
    headers = {"Location": f"/api/predictions/{answer['prediction_id']}"}
    return {"message": _("The images are being analyzed.")} | answer, 202, headers


@blueprint.post("/frames")
@limited(PREDICT)
@blueprint.input(TestForm, location="form_and_files", arg_name="form")
@blueprint.input(CheckpointChoice, location="query", arg_name="options")
@blueprint.output(FrameOut)
@blueprint.doc(
    description="For frames of a video or a camera. Send the next frame after the response.",
    responses={429: "Several frames are already being analyzed: wait as `Retry-After` says."},
)
def frame(form: TestFormValues, options: CheckpointChoiceValues) -> Inference:
    """Test a trained model on an image that is not stored."""
    file = form["file"]
    return services().inference.frames.try_frame(
        file.stream, file.filename or "", form["training_id"], form["confidence"], form["iou"], **options
    )


@blueprint.post("/videos")
@limited(TESTS)
@blueprint.input(VideoForm, location="form_and_files", arg_name="form")
@blueprint.doc(
    description="For videos that browsers do not play (MPEG-4 Part 2, AVI ...): at most 10 frames a second and 3,000 "
    "in all. `X-Video-Cut: true`: only the beginning was converted. Nothing is kept.",
    responses=picture("video/webm") | {429: "Another video is being converted."},
)
def video(form: VideoFormValues) -> Response:
    """Convert a video to WebM."""
    file, converted = services().inference.videos.convert(form["file"].stream)
    response = send_file(file, mimetype="video/webm", max_age=0)
    response.headers["X-Video-Cut"] = str(converted["cut"]).lower()
    response.headers["X-Video-Seconds"] = str(converted["seconds"])
    return response


@blueprint.get("/models")
@blueprint.input(ModelQuery, location="query", arg_name="query")
@blueprint.output(ModelPage)
def models(query: ModelQueryValues) -> ModelsView:
    """List the runs whose models can be tested, newest first."""
    return services().inference.models.list_models(**query)


@blueprint.get("")
@blueprint.input(TestQuery, location="query", arg_name="query")
@blueprint.output(TestPage)
def index(query: TestQueryValues) -> TestPageValues:
    """List tests, newest first."""
    page = services().inference.tests.list_tests(**query)
    return {
        "tests": [test_view(test) for test in page],
        "total": page.total or 0,
        "page": page.page,
        "per_page": page.per_page,
        "pages": page.pages,
    }


@blueprint.get("/<id:test_id>")
@blueprint.output(TestOut)
def show(test_id: int) -> TestOutValues:
    """Get one test."""
    tests = services().inference.tests
    test = tests.get_test(test_id)
    return {**test_view(test), **tests.details(test)}


@blueprint.delete("/<id:test_id>")
@blueprint.output(TestDeleted)
@blueprint.doc(responses={404: "The test doesn't exist."})
def delete(test_id: int) -> TestDeletedValues:
    """Delete a test with its images."""
    services().inference.tests.delete_test(test_id)
    return {"message": _("Test deleted."), "test_id": test_id}


@blueprint.get("/<id:test_id>/image")
@blueprint.doc(responses=picture("image/jpeg"))
def image(test_id: int) -> Response:
    """The image with its boxes drawn."""
    tests = services().inference.tests
    return send_file(tests.file_of(tests.get_test(test_id), annotated=True), mimetype="image/jpeg")


@blueprint.get("/<id:test_id>/input")
@blueprint.doc(responses=picture("image/*"))
def original(test_id: int) -> Response:
    """The image as it was sent."""
    tests = services().inference.tests
    return send_file(tests.file_of(tests.get_test(test_id), annotated=False))
