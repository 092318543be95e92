"""Datasets: list, upload, import, one, delete."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from apiflask import APIBlueprint, abort
from flask import request
from flask_babel import gettext as _

from app.rates import UPLOADS, limited
from app.routes.departures import close_hidden
from app.routes.once import fields_of
from app.schemas import (
    DatasetCreated,
    DatasetForm,
    DatasetOut,
    DatasetPage,
    DatasetPatch,
    DatasetQuery,
    FoldersOut,
    ImportIn,
    ImportQuery,
    Message,
    SampleOut,
)
from app.schemas.datasets import (
    DatasetFormValues,
    DatasetPatchValues,
    DatasetQueryValues,
    ImportInValues,
    ImportQueryValues,
)
from app.services import services

blueprint = APIBlueprint("datasets", __name__, url_prefix="/api/datasets", tag="Datasets")


def multipart_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse another kind of body before its fields are missed one by one; a large one is expected."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.mimetype != "multipart/form-data":
            abort(415)
        services().datasets.creation.expect(request.content_length or 0)
        return view(*args, **kwargs)

    return checked


def paged(pagination: Any) -> dict[str, int]:
    """The keys of schemas.Page."""
    return {name: getattr(pagination, name) for name in ("total", "page", "per_page", "pages")}


def created(dataset: Any) -> dict[str, Any]:
    return {"message": _("Dataset created"), "dataset_id": dataset.id, "status": dataset.status}


@blueprint.get("")
@blueprint.input(DatasetQuery, location="query", arg_name="query")
@blueprint.output(DatasetPage)
def list_datasets(query: DatasetQueryValues) -> dict[str, Any]:
    """List datasets, newest first by default."""
    datasets = services().datasets
    page = datasets.store.list(query)
    return paged(page) | {"datasets": datasets.views.view_all(page.items)}


@blueprint.post("")
@limited(UPLOADS)
@multipart_only
@blueprint.input(DatasetForm, location="form_and_files", arg_name="form")
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(responses=[400, 413, 415, 422, 507])
def create_dataset(form: DatasetFormValues) -> dict[str, Any]:
    """Upload a dataset as a ZIP in any supported format. Its images are checked after the response."""
    file = form["file"]
    return created(services().datasets.creation.create(file.stream, file.filename or "", **fields_of(form)))


@blueprint.get("/import")
@blueprint.input(ImportQuery, location="query", arg_name="query")
@blueprint.output(FoldersOut)
@blueprint.doc(
    responses={404: "Importing isn't configured, or the folder doesn't exist.", 422: "The path is outside IMPORT_ROOT."}
)
def list_folders(query: ImportQueryValues) -> dict[str, Any]:
    """List the folders of the server below IMPORT_ROOT."""
    return services().datasets.server_folders.folders(query["path"])


@blueprint.post("/import")
@limited(UPLOADS)
@blueprint.input(ImportIn, arg_name="values")
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(
    responses={404: "Importing isn't configured, or the folder doesn't exist.", 422: "The folder isn't a dataset."}
)
def import_folder(values: ImportInValues) -> dict[str, Any]:
    """Import a server folder below IMPORT_ROOT. The folder isn't changed."""
    return created(services().datasets.creation.import_folder(**values))


@blueprint.get("/sample")
@blueprint.output(SampleOut)
def find_sample() -> dict[str, Any]:
    """Find the sample dataset, if there is one already."""
    found = services().datasets.details.sample()
    return {"dataset_id": found and found.id, "name": found and found.name, "status": found and found.status}


@blueprint.post("/sample")
@limited(UPLOADS)
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(responses=[503])
def create_sample() -> dict[str, Any]:
    """Create the sample dataset (circles, squares, triangles) and import it."""
    return created(services().datasets.creation.create_sample())


@blueprint.get("/<id:dataset_id>")
@blueprint.output(DatasetOut)
@blueprint.doc(responses=[404])
def get_dataset(dataset_id: int) -> dict[str, Any]:
    """Get one dataset, with the decisions of its import and the counts of the dataset check."""
    datasets = services().datasets
    return datasets.views.view(datasets.store.get(dataset_id))


@blueprint.post("/<id:dataset_id>/review")
@blueprint.output(DatasetOut)
@blueprint.doc(responses={404: "The dataset doesn't exist.", 409: "The dataset check isn't finished."})
def confirm_readings(dataset_id: int) -> dict[str, Any]:
    """Confirm how the import read the annotations; `needs_review` ends. Another reading: POST revisions."""
    datasets = services().datasets
    return datasets.views.view(datasets.review.confirm(dataset_id))


@blueprint.patch("/<id:dataset_id>")
@blueprint.input(DatasetPatch, arg_name="changes")
@blueprint.output(DatasetOut)
@blueprint.doc(responses=[404])
def edit_dataset(dataset_id: int, changes: DatasetPatchValues) -> dict[str, Any]:
    """Change name or description, or share it."""
    datasets = services().datasets
    edited = datasets.details.edit(dataset_id, changes)
    if "shared" in changes:
        close_hidden()
    return datasets.views.view(edited)


@blueprint.delete("/<id:dataset_id>")
@blueprint.output(Message)
@blueprint.doc(responses=[404, 409])
def delete_dataset(dataset_id: int) -> dict[str, Any]:
    """Delete a dataset with its files, unless a run uses it."""
    services().datasets.delete(dataset_id)
    return {"message": _("Dataset deleted")}
