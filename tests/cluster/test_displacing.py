"""Requested work gets the worker of spare work; over PostgreSQL and Redis."""

from dataclasses import replace

import pytest
from apiflask import APIFlask

from app.jobs import JobService
from app.jobs.devices import Use
from app.jobs.dispatch import Dispatcher
from tests.cluster.queued import GPU, PLENTY, add, horse, row

EVALUATION = {"params": {"device": "auto"}, "subject_type": "training", "subject_id": 7}


@pytest.mark.parametrize("job_fields", [{"kind": "evaluate"} | EVALUATION, {"kind": "draw_sample"}])
def test_unasked_work_leaves_to_what_waits(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, job_fields: dict[str, object]
) -> None:
    mine, unasked = horse(app, devices=GPU), add(kind="evaluate_automatic", **EVALUATION)
    dispatcher.round(PLENTY)
    assert mine.claim("gpu-low") == (unasked, 1)
    dispatcher.round(PLENTY)
    assert row(unasked).stop_mode is None, "nobody waits"
    first = add(**job_fields)
    dispatcher.round(PLENTY)
    assert row(unasked).stop_mode == "displaced"
    second = add(**job_fields)
    dispatcher.round(PLENTY)
    assert [row(job_id).status for job_id in (first, second)] == ["pending"] * 2


def test_who_is_free_comes_before_who_would_be_disturbed(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher
) -> None:
    mine, unasked = horse(app, devices=GPU), add(kind="evaluate_automatic", **EVALUATION)
    dispatcher.round(PLENTY)
    assert mine.claim("gpu-low") == (unasked, 1)
    other = horse(app, "two", GPU)
    job_id = add(kind="evaluate", **EVALUATION)
    dispatcher.round(PLENTY)
    assert row(unasked).stop_mode is None
    assert other.claim("gpu") == (job_id, 1)


def test_an_import_leaves_to_nobody(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    mine, running = horse(app, devices=GPU), add()
    dispatcher.round(PLENTY)
    assert mine.claim("any") == (running, 1)
    if "measures" not in jobs.kinds.names():
        jobs.register(replace(jobs.kinds["evaluate"], name="measures", use=Use.MEASURE))
    add(kind="measures", **EVALUATION), add(kind="evaluate", **EVALUATION)
    dispatcher.round(PLENTY)
    assert row(running).stop_mode is None
