"""PRIVATE_DATA: trainers and viewers see their own and shared objects; admins see all.

This is the only place that decides. The conditions below are added to every SELECT of a non-admin's request: hidden
objects are missing in lists, counts, searches and names, and do not exist by their id. Write transactions see
everything, since deleting depends on uses by others, and so do reads that prepare one (`everything`); the changed
object itself was checked before, see door.py. Queries outside of requests, such as those of supervisors, see everything
too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from apiflask import APIFlask
from flask import current_app, g, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy import ColumnElement, event, or_, select
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria

from app.access.principal import Principal, current
from app.config import settings
from app.core.roles import Role
from app.errors import NotFound, Unprocessable
from app.extensions import db
from app.models import Account, Dataset, Evaluation, ModelExport, PredictionRun, Test, Training

NOT_THERE: dict[str, LazyString] = {
    "dataset": _l("Dataset %(id)s doesn't exist."),
    "training": _l("Run %(id)s doesn't exist."),
    "evaluation": _l("Evaluation %(id)s doesn't exist."),
    "model_export": _l("Export %(id)s doesn't exist."),
    "prediction_run": _l("Prediction %(id)s doesn't exist."),
    "test": _l("Test %(id)s doesn't exist."),
    "job": _l("There is no job %(id)s."),
}
UNFILTERED = {"writing", "everything"}  # session flags: reads for decisions, whose rows are not displayed
# ids in request bodies; a test compares them with the API description
IN_BODIES = {"dataset_id": Dataset, "training_id": Training}


def owned(column: Any, account_id: int | None) -> ColumnElement[bool]:
    """The condition for rows of this account; None: the owner of the installation, with a token of a lesser role."""
    return column.is_(None) if account_id is None else column == account_id


def conditions(account_id: int | None, *job_models: Any) -> dict[Any, ColumnElement[bool]]:
    """The conditions for each model under which a person may see a row.

    A shared training is visible only with its dataset, and a dataset stays visible to those who trained on it. So
    everyone sees what a visible object was made from, and no join loses a row. An evaluation outlives its dataset, and
    then belongs to its creator. A job is visible with the training it is about, whoever requested it.

    Args:
        job_models: further models with `created_by`, `subject_type` and `subject_id`: jobs.
    """
    data, run = Dataset.__table__, Training.__table__
    d, t, mine = data.alias(), run.alias(), run.alias()
    used = select(mine.c.dataset_id).where(owned(mine.c.created_by, account_id))
    open_data = select(d.c.id).where(owned(d.c.created_by, account_id) | d.c.shared)
    visible_datasets = select(d.c.id).where(owned(d.c.created_by, account_id) | d.c.shared | d.c.id.in_(used))
    open_run = owned(t.c.created_by, account_id) | (t.c.shared & t.c.dataset_id.in_(open_data))
    visible_runs = select(t.c.id).where(open_run)
    by_model: dict[Any, ColumnElement[bool]] = {
        Dataset: owned(Dataset.created_by, account_id) | Dataset.shared | Dataset.id.in_(used),
        Training: owned(Training.created_by, account_id) | (Training.shared & Training.dataset_id.in_(open_data)),
        ModelExport: ModelExport.training_id.in_(visible_runs),
        Evaluation: visible_evaluations(Evaluation, visible_runs, visible_datasets, account_id),
        **{
            kind: owned(kind.created_by, account_id) & kind.training_id.in_(visible_runs)
            for kind in (Test, PredictionRun)
        },
    }
    exports, evaluations = ModelExport.__table__.alias().c, Evaluation.__table__.alias().c
    of_export = select(exports.job_id).where(exports.training_id.in_(visible_runs))
    of_evaluation = select(evaluations.job_id).where(
        visible_evaluations(evaluations, visible_runs, visible_datasets, account_id)
    )
    admins = select(Account.id).where(Account.role == Role.ADMIN)
    for job in job_models:
        by_admin = job.created_by.is_(None) | job.created_by.in_(admins)
        by_owner = by_admin | (job.created_by == t.c.created_by)
        by_giver = by_admin | (job.created_by == d.c.created_by)
        of_run = select(t.c.id).where(t.c.id == job.subject_id, open_run, by_owner).correlate(job.__table__)
        of_data = select(d.c.id).where(d.c.id == job.subject_id, d.c.id.in_(visible_datasets.correlate(None)), by_giver)
        by_model[job] = or_(
            owned(job.created_by, account_id),
            job.id.in_(of_export) | job.id.in_(of_evaluation),
            (job.subject_type == "training") & of_run.exists(),
            (job.subject_type == "dataset") & of_data.correlate(job.__table__).exists(),
        )
    return by_model


def visible_evaluations(columns: Any, runs: Any, data: Any, account_id: int | None) -> ColumnElement[bool]:
    """The condition for evaluations that an account may see.

    Args:
        columns: of the table or the model. runs, data: the visible ids of trainings and datasets.
    """
    orphaned = columns.dataset_id.is_(None) & owned(columns.created_by, account_id)
    return columns.training_id.in_(runs) & or_(orphaned, columns.dataset_id.in_(data))


def is_limited(principal: Principal | None) -> bool:
    """Whether a principal sees only a part of the rows."""
    return settings().PRIVATE_DATA and principal is not None and principal.role != Role.ADMIN


def narrow(state: ORMExecuteState) -> None:
    """Add the conditions to a SELECT; does nothing without PRIVATE_DATA."""
    if not state.is_select or state.is_column_load or not current_app or not UNFILTERED.isdisjoint(state.session.info):
        return
    principal = current()
    if principal is None or not is_limited(principal):
        return
    kinds = conditions(principal.account_id, *current_app.extensions["private_kinds"])
    state.statement = state.statement.options(*(with_loader_criteria(kind, rule) for kind, rule in kinds.items()))


@contextmanager
def everything() -> Iterator[None]:
    """Reads within see everything: for decisions and waits, never for display."""
    before = db.session.info.get("everything")
    db.session.info["everything"] = True
    try:
        yield
    finally:
        if not before:
            db.session.info.pop("everything", None)


def expect_visible(kind: Any, number: int) -> None:
    """Check that the current person may see an object.

    Raises:
        NotFound: there is no such object, or they may not see it.
    """
    if is_limited(current()) and not is_visible(kind, number):
        raise NotFound(not_there(kind, number))


def is_visible(kind: Any, number: int) -> bool:
    return db.session.scalar(select(kind.id).where(kind.id == number)) is not None


def not_there(kind: Any, number: int) -> str:
    """The message for a missing row, which is also that for a hidden one."""
    return str(NOT_THERE[kind.__tablename__]) % {"id": number}


def visible_ids(kind: Any, numbers: Any) -> set[int]:
    """Those of these ids that the current person may see."""
    return set(db.session.scalars(select(kind.id).where(kind.id.in_(list(numbers)))))


@contextmanager
def visible_to(principal: Principal | None) -> Iterator[None]:
    """Queries within see what a principal may see, outside of a request."""
    with current_app.test_request_context():
        g.principal = principal
        yield


def check_body() -> None:
    """Check the ids in a JSON body before it is processed. Those in forms are checked by the reads.

    Raises:
        NotFound: as for an object that does not exist.
        Unprocessable: the same, for a dataset that the request names.
    """
    if not request.is_json or not is_limited(current()):
        return
    body = request.get_json(silent=True)
    for path, name, number in named_ids(body):
        kind = IN_BODIES[name]
        if is_visible(kind, number):
            continue
        if path == ("start",):
            raise no_start(number)
        if kind is Dataset:
            text = _("This dataset doesn't exist.")
            raise Unprocessable(text, [{"field": name, "message": text}])
        raise NotFound(not_there(kind, number))


def expect_start(start: Any) -> None:
    """Check the initial weights of a run that is created like another one.

    Args:
        start: with the `training_id` of its weights, if they are from a run.

    Raises:
        Unprocessable: the current person may not see that run.
    """
    number = start.get("training_id") if isinstance(start, Mapping) else None
    if number is not None and is_limited(current()) and not is_visible(Training, number):
        raise no_start(number)


def no_start(number: int) -> Unprocessable:
    text = _("The run %(id)s, whose weights should be used, doesn't exist.", id=number)
    return Unprocessable(text, [{"field": "start", "message": text}])


def named_ids(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """(path, name, id) of each id in a body. Bodies are small, and their depth was checked before."""
    waiting: list[tuple[tuple[str, ...], Any]] = [(path, value)]
    while waiting:
        here, item = waiting.pop()
        if isinstance(item, Mapping):
            for name, part in item.items():
                if name in IN_BODIES and type(part) is int:
                    yield here, name, part
                elif isinstance(part, Mapping | list):
                    waiting.append(((*here, name), part))
        elif isinstance(item, list):
            waiting += [(here, part) for part in item]


def init_app(app: APIFlask, *kinds: Any) -> None:
    """Restrict every query of a request to what its person may see.

    Args:
        kinds: models of jobs, which this layer must not import.
    """
    app.extensions["private_kinds"] = kinds
    app.before_request(check_body)
    if not event.contains(db.session, "do_orm_execute", narrow):
        event.listen(db.session, "do_orm_execute", narrow)
