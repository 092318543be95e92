"""Which queue a job belongs to, and which queues a worker serves."""

import pytest

from app.jobs.devices import Request, Use
from app.jobs.work_queues import can_be_served, requirement, served, with_priority, without_priority


@pytest.mark.parametrize(
    ("use", "request_", "gpus", "cpu", "name"),
    [
        (None, "auto", {1}, True, "any"),
        (Use.WORK, "auto", {1}, True, "gpu"),
        (Use.WORK, "auto", set(), True, "cpu"),
        (Use.WORK, "auto", set(), False, "gpu"),  # nobody is there yet: an autoscaler starts one with a GPU
        (Use.WORK, "cpu", {1}, True, "cpu"),
        (Use.WORK, "3", {1}, True, "gpu"),
        (Use.WORK, "0,1", {1}, True, "gpu2"),
        (Use.MEASURE, ("cpu",), {1}, True, "cpu"),
        (Use.MEASURE, ("0",), {1}, True, "gpu"),
    ],
)
def test_what_a_job_needs(use: Use | None, request_: Request, gpus: set[int], cpu: bool, name: str) -> None:
    assert requirement(use, request_, gpus, cpu) == name


def test_priorities_come_first() -> None:
    assert served(0) == ["cpu-high", "any-high", "cpu", "any", "cpu-low", "any-low"]
    assert served(1)[:4] == ["gpu-high", "cpu-high", "any-high", "gpu"]
    assert served(2)[:2] == ["gpu2-high", "gpu-high"]
    assert [with_priority("gpu", value) for value in (7, 0, -7)] == ["gpu-high", "gpu", "gpu-low"]
    assert {without_priority(name) for name in served(2)} == {"gpu2", "gpu", "cpu", "any"}


def test_who_can_do_what() -> None:
    assert not can_be_served("any", set(), False)
    assert can_be_served("cpu", {1}, False)
    assert can_be_served("gpu", {2}, False)
    assert not can_be_served("gpu2", {1}, True)
