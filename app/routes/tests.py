"""Inference on single images."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file, url_for
from flask_babel import gettext as _

from app.models import Test
from app.schemas import (
    CheckpointChoice,
    FrameOut,
    ModelPage,
    ModelQuery,
    TestCreated,
    TestDeleted,
    TestForm,
    TestOptions,
    TestOut,
    TestPage,
    TestQuery,
    VideoForm,
)
from app.services import services

blueprint = APIBlueprint("tests", __name__, url_prefix="/api/tests", tag="Tests")


def picture(mimetype: str) -> Any:
    """How OpenAPI says that an image comes."""
    return {200: {"description": "The image.", "content": {mimetype: {}}}}


def created(test: Test) -> dict[str, Any]:
    """The keys of the specification."""
    return {
        "test_id": test.id,
        "detections": test.results,
        "inference_time": test.inference_time,
        "total_time": test.total_time,
        "image_url": url_for("tests.image", test_id=test.id),
    }


def shown(test: Test) -> dict[str, Any]:
    """A test in a list."""
    return created(test) | {
        "id": test.id,
        "training_id": test.training_id,
        "training_name": test.training.name,
        "confidence_threshold": test.confidence_threshold,
        "iou_threshold": test.iou_threshold,
        "created_at": test.created_at,
    }


@blueprint.post("")
@blueprint.input(TestForm, location="form_and_files", arg_name="form")
@blueprint.input(TestOptions, location="query", arg_name="options")
@blueprint.output(TestCreated, status_code=201)
def create(form: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Test a trained model on an image."""
    file, service = form["file"], services().inference
    test = service.create_test(
        file.stream, file.filename or "", form["training_id"], form["confidence"], form["iou"], **options
    )
    return created(test) | service.details(test)


@blueprint.post("/frames")
@blueprint.input(TestForm, location="form_and_files", arg_name="form")
@blueprint.input(CheckpointChoice, location="query", arg_name="options")
@blueprint.output(FrameOut)
@blueprint.doc(
    description="For frames of a video or a camera. Send the next frame after the response.",
    responses={429: "Several frames are already being analyzed: wait as `Retry-After` says."},
)
def frame(form: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Test a trained model on an image that is not stored."""
    file = form["file"]
    return services().inference.try_frame(
        file.stream, file.filename or "", form["training_id"], form["confidence"], form["iou"], **options
    )


@blueprint.post("/videos")
@blueprint.input(VideoForm, location="form_and_files", arg_name="form")
@blueprint.doc(
    description="For videos that browsers do not play (MPEG-4 Part 2, AVI ...): at most 10 frames a second and 3,000 "
    "in all. `X-Video-Cut: true`: only the beginning was converted. Nothing is kept.",
    responses=picture("video/webm") | {429: "Another video is being converted."},
)
def video(form: dict[str, Any]) -> Response:
    """Convert a video to WebM."""
    file, made = services().inference.videos.convert(form["file"].stream)
    response = send_file(file, mimetype="video/webm", max_age=0)
    response.headers["X-Video-Cut"] = str(made["cut"]).lower()
    response.headers["X-Video-Seconds"] = str(made["seconds"])
    return response


@blueprint.get("/models")
@blueprint.input(ModelQuery, location="query", arg_name="query")
@blueprint.output(ModelPage)
def models(query: dict[str, Any]) -> dict[str, Any]:
    """List the runs whose models can be tested, newest first."""
    return services().inference.list_models(**query)


@blueprint.get("")
@blueprint.input(TestQuery, location="query", arg_name="query")
@blueprint.output(TestPage)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List tests, newest first."""
    found = services().inference.list_tests(**query)
    return {
        "tests": [shown(test) for test in found],
        "total": found.total,
        "page": found.page,
        "per_page": found.per_page,
        "pages": found.pages,
    }


@blueprint.get("/<id:test_id>")
@blueprint.output(TestOut)
def show(test_id: int) -> dict[str, Any]:
    """Get one test."""
    service = services().inference
    test = service.get_test(test_id)
    return shown(test) | service.details(test)


@blueprint.delete("/<id:test_id>")
@blueprint.output(TestDeleted)
@blueprint.doc(responses={404: "The test doesn't exist."})
def delete(test_id: int) -> dict[str, Any]:
    """Delete a test with its images."""
    services().inference.delete_test(test_id)
    return {"message": _("Test deleted."), "test_id": test_id}


@blueprint.get("/<id:test_id>/image")
@blueprint.doc(responses=picture("image/jpeg"))
def image(test_id: int) -> Response:
    """The image with its boxes drawn."""
    service = services().inference
    return send_file(service.file_of(service.get_test(test_id), annotated=True), mimetype="image/jpeg")


@blueprint.get("/<id:test_id>/input")
@blueprint.doc(responses=picture("image/*"))
def original(test_id: int) -> Response:
    """The image as it was sent."""
    service = services().inference
    return send_file(service.file_of(service.get_test(test_id), annotated=False))
