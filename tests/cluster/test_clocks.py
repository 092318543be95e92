"""A host whose clock is an hour wrong, over PostgreSQL and Redis: the database's clock is used."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from apiflask import APIFlask

from app.core.clock import CLOCK
from app.extensions import db
from app.jobs import JobService, queue, workers
from app.models import new_position
from tests.cluster.queued import add, row
from tests.core.test_clock import HOUR, shift_clock


@pytest.fixture(autouse=True)
def local_clock() -> Iterator[None]:
    yield
    CLOCK.reset()


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_time_comes_by_the_clock_of_the_database(
    app: APIFlask, jobs: JobService, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    present = datetime.now(UTC)
    later, due = add(not_before=present + HOUR / 2), add(not_before=present - HOUR / 2)
    shift_clock(monkeypatch, by)
    workers.compare_clocks(db.session)
    claimed = queue.claim(jobs.kinds, jobs.devices)
    assert claimed == [(due, 1)]
    assert (row(later).waiting_for or {})["code"] == "schedule"
    started = row(due).started_at
    assert started is not None
    assert abs(started - present) < HOUR / 2


def test_who_comes_later_is_behind(app: APIFlask, jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    """On any host: one is an hour late."""
    first = new_position()
    shift_clock(monkeypatch, -HOUR)
    workers.compare_clocks(db.session)
    second = new_position()
    shift_clock(monkeypatch, HOUR)
    workers.compare_clocks(db.session)
    assert first < second < new_position()
