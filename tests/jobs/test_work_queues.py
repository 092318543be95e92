"""Which queue a job belongs to, and which queues a worker serves."""

import pytest

from app.jobs.devices import Request, Use
from app.jobs.work_queues import can_be_served, gpu_number, requirement, served, with_priority, without_priority


@pytest.mark.parametrize(
    ("use", "request_", "gpus", "cpu", "name"),
    [
        (None, "auto", {1}, True, "any"),
        (Use.WORK, "auto", {1}, True, "gpu"),
        (Use.WORK, "auto", set(), True, "cpu"),
        (Use.WORK, "auto", set(), False, "gpu"),  # no worker yet: an autoscaler starts one with a GPU
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


def test_a_worker_serves_every_number_that_it_has_and_none_starves() -> None:
    usual = [name for name in served(4) if name.startswith("gpu") and "-" not in name]
    assert usual == ["gpu4", "gpu3", "gpu2", "gpu"]
    assert served(4, turn=4)[:4] == ["gpu3-high", "gpu2-high", "gpu-high", "gpu4-high"]
    assert served(4, turn=2)[:4] == ["gpu-high", "gpu4-high", "gpu3-high", "gpu2-high"]
    assert served(4, turn=1) == served(4)
    assert served(1, turn=1) == served(1)
    assert [gpu_number(name) for name in ("gpu4", "gpu", "cpu", "any")] == [4, 1, 0, 0]


def test_who_can_do_what() -> None:
    assert not can_be_served("any", set(), False)
    assert can_be_served("cpu", {1}, False)
    assert can_be_served("gpu", {2}, False)
    assert can_be_served("gpu3", {4}, True)
    assert not can_be_served("gpu2", {1}, True)
