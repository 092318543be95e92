"""Datasets: list, upload, one, delete, findings."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from apiflask import APIBlueprint, abort
from flask import request
from flask_babel import gettext as _

from app.schemas import (
    DatasetCreated,
    DatasetForm,
    DatasetOut,
    DatasetPage,
    DatasetQuery,
    FindingPage,
    FindingQuery,
    Message,
)
from app.services import services

blueprint = APIBlueprint("datasets", __name__, url_prefix="/api/datasets", tag="Datasets")


def multipart_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse another kind of body before its fields are missed one by one."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.mimetype != "multipart/form-data":
            abort(415)
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
def list_datasets(query: dict[str, Any]) -> dict[str, Any]:
    """Datasets, newest first unless sorted otherwise."""
    held = services().datasets
    page = held.list(query)
    return paged(page) | {"datasets": [held.view(dataset) for dataset in page.items]}


@blueprint.post("")
@multipart_only
@blueprint.input(DatasetForm, location="form_and_files", arg_name="form")
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(responses=[400, 413, 415, 422, 507])
def create_dataset(form: dict[str, Any]) -> dict[str, Any]:
    """Upload a dataset as a ZIP in YOLO layout; its validation goes on after the answer."""
    file = form["file"]
    dataset = services().datasets.create(
        file.stream, file.filename or "", form["name"], form["description"], form["classes"], form["task"]
    )
    return created(dataset)


@blueprint.post("/sample")
@blueprint.output(DatasetCreated, status_code=201)
@blueprint.doc(responses=[503])
def create_sample() -> dict[str, Any]:
    """Draw the sample dataset (circles, squares, triangles) and import it."""
    return created(services().datasets.create_sample())


@blueprint.get("/<id:dataset_id>")
@blueprint.output(DatasetOut)
@blueprint.doc(responses=[404])
def get_dataset(dataset_id: int) -> dict[str, Any]:
    """One dataset, with what was decided at its import and what the validation counted."""
    held = services().datasets
    return held.view(held.get(dataset_id))


@blueprint.delete("/<id:dataset_id>")
@blueprint.output(Message)
@blueprint.doc(responses=[404, 409])
def delete_dataset(dataset_id: int) -> dict[str, Any]:
    """Delete a dataset with its files, unless a training uses it."""
    services().datasets.delete(dataset_id)
    return {"message": _("Dataset deleted")}


@blueprint.get("/<id:dataset_id>/findings")
@blueprint.input(FindingQuery, location="query", arg_name="query")
@blueprint.output(FindingPage)
@blueprint.doc(responses=[404])
def list_findings(dataset_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """What is wrong with a dataset, by file and line, errors first."""
    held = services().datasets
    page = held.findings(dataset_id, query)
    return paged(page) | {"findings": [held.view_finding(finding) for finding in page.items]}
