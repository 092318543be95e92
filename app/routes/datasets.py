"""Datasets: list, upload, import, one, delete."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from apiflask import APIBlueprint, abort
from flask import request
from flask_babel import gettext as _
from flask_sqlalchemy.pagination import Pagination

from app.models.dataset import Dataset
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
from app.schemas.base import MessageValues, PageValues
from app.schemas.datasets import (
    DatasetCreatedValues,
    DatasetFormValues,
    DatasetOutValues,
    DatasetPageValues,
    DatasetPatchValues,
    DatasetQueryValues,
    FoldersOutValues,
    ImportInValues,
    ImportQueryValues,
    SampleOutValues,
)
from app.services import services

blueprint = APIBlueprint("datasets", __name__, url_prefix="/api/datasets", tag="Datasets")


def multipart_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse other content types at once, rather than report missing fields; the body may be large."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.mimetype != "multipart/form-data":
            abort(415)
        services().datasets.creation.expect(request.content_length or 0)
        return view(*args, **kwargs)

    return checked


def paged(pagination: Pagination) -> PageValues:
    """The keys of schemas.Page."""
    return {
        "total": pagination.total or 0,
        "page": pagination.page,
        "per_page": pagination.per_page,
        "pages": pagination.pages,
    }


def created(dataset: Dataset) -> DatasetCreatedValues:
    return {"message": _("Dataset created"), "dataset_id": dataset.id, "status": dataset.status}


@blueprint.get("")
@blueprint.input(DatasetQuery, location="query", arg_name="query")
@blueprint.output(DatasetPage)
def list_datasets(query: DatasetQueryValues) -> DatasetPageValues:
    """List datasets, newest first by default."""
    datasets = services().datasets
    page = datasets.store.list(query)
    return {**paged(page), "datasets": datasets.views.view_all(page.items)}


@blueprint.post("")
@limited(UPLOADS)
@multipart_only
@blueprint.input(DatasetForm, location="form_and_files", arg_name="form")
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(responses=[400, 413, 415, 422, 507])
def create_dataset(form: DatasetFormValues) -> DatasetCreatedValues:
    """Upload a dataset as a ZIP in any supported format. Its images are checked after the response."""
    file = form["file"]
    return created(services().datasets.creation.create(file.stream, file.filename or "", **fields_of(form)))


@blueprint.get("/import")
@blueprint.input(ImportQuery, location="query", arg_name="query")
@blueprint.output(FoldersOut)
@blueprint.doc(
    responses={404: "Importing isn't configured, or the folder doesn't exist.", 422: "The path is outside IMPORT_ROOT."}
)
def list_folders(query: ImportQueryValues) -> FoldersOutValues:
    """List the folders of the server below IMPORT_ROOT."""
    return services().datasets.server_folders.folders(query["path"])


@blueprint.post("/import")
@limited(UPLOADS)
@blueprint.input(ImportIn, arg_name="values")
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(
    responses={404: "Importing isn't configured, or the folder doesn't exist.", 422: "The folder isn't a dataset."}
)
def import_folder(values: ImportInValues) -> DatasetCreatedValues:
    """Import a server folder below IMPORT_ROOT. The folder isn't changed."""
    return created(services().datasets.creation.import_folder(**values))


@blueprint.get("/sample")
@blueprint.output(SampleOut)
def find_sample() -> SampleOutValues:
    """Find the sample dataset, if there is one already."""
    sample = services().datasets.store.newest_sample()
    if sample is None:
        return {"dataset_id": None, "name": None, "status": None}
    return {"dataset_id": sample.id, "name": sample.name, "status": sample.status}


@blueprint.post("/sample")
@limited(UPLOADS)
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(responses=[503])
def create_sample() -> DatasetCreatedValues:
    """Create the sample dataset (circles, squares, triangles) and import it.

    While one is being created, the answer is that one."""
    return created(services().datasets.creation.create_sample())


@blueprint.get("/<id:dataset_id>")
@blueprint.output(DatasetOut)
@blueprint.doc(responses=[404])
def get_dataset(dataset_id: int) -> DatasetOutValues:
    """Get one dataset, with the decisions of its import and the counts of the dataset check."""
    datasets = services().datasets
    return datasets.views.view(datasets.store.get(dataset_id))


@blueprint.post("/<id:dataset_id>/review")
@blueprint.output(DatasetOut)
@blueprint.doc(responses={404: "The dataset doesn't exist.", 409: "The dataset check isn't finished."})
def confirm_readings(dataset_id: int) -> DatasetOutValues:
    """Confirm how the import read the annotations; `needs_review` ends. Another reading: POST revisions."""
    datasets = services().datasets
    return datasets.views.view(datasets.review.confirm(dataset_id))


@blueprint.patch("/<id:dataset_id>")
@blueprint.input(DatasetPatch, arg_name="changes")
@blueprint.output(DatasetOut)
@blueprint.doc(responses=[404])
def edit_dataset(dataset_id: int, changes: DatasetPatchValues) -> DatasetOutValues:
    """Change name or description, or share it."""
    datasets = services().datasets
    edited = datasets.details.edit(dataset_id, changes)
    if "shared" in changes:
        close_hidden()
    return datasets.views.view(edited)


@blueprint.delete("/<id:dataset_id>")
@blueprint.output(Message)
@blueprint.doc(responses=[404, 409])
def delete_dataset(dataset_id: int) -> MessageValues:
    """Delete a dataset with its files, unless a run uses it."""
    services().datasets.delete(dataset_id)
    return {"message": _("Dataset deleted")}
