"""Uploads of weights that were trained elsewhere."""

from apiflask import APIBlueprint, abort
from flask import request

from app.rates import UPLOADS, limited
from app.routes.once import form_key
from app.schemas import KeyHeader, UploadedModelForm, UploadedModelOut
from app.schemas.training_actions import KeyHeaderValues
from app.schemas.uploaded_models import UploadedModelFormValues, UploadedModelOutValues
from app.services import services
from app.services.predictions.inputs import InputFile, PredictionInput

blueprint = APIBlueprint("uploaded_models", __name__, tag="Uploaded models")


@blueprint.before_request
def multipart_only() -> None:
    """Refuse other content types at once, rather than report missing fields."""
    if request.mimetype != "multipart/form-data":
        abort(415)


@blueprint.post("/api/models")
@limited(UPLOADS)
@blueprint.input(UploadedModelForm, location="form_and_files", arg_name="form")
@blueprint.input(KeyHeader, location="headers", arg_name="header")
@blueprint.output(UploadedModelOut, status_code=201)
@blueprint.doc(responses=[400, 409, 413, 415, 422, 429, 507])
def add_model(form: UploadedModelFormValues, header: KeyHeaderValues) -> UploadedModelOutValues:
    """Upload weights (.pt) that ultralytics trained elsewhere.

    A process of its own looks at the file. Nothing in it is run: a file that refers to code that no model needs is
    refused. The model becomes a completed run.
    """
    file = form["file"]
    filename = file.filename or ""
    key = form_key(header, "upload-model", form, PredictionInput([InputFile(file.stream, filename)], many=False))
    return services().uploaded_models.add(file.stream, filename, form["dataset_id"], form.get("name", ""), key)
