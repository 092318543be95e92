"""Which jobs displace which others from a worker."""

from app.jobs.devices import Use
from app.jobs.displacing import Seat, choose


def spare(job_id: int, gpus: int = 1, began: float = 0.0) -> Seat:
    return Seat(gpus, job_id, Use.SPARE, began)


def test_a_free_worker_is_used_first() -> None:
    assert choose([("gpu", Use.WORK, 1)], [spare(1), Seat(1)]) == []
    assert choose([("gpu", Use.WORK, 2)], [spare(1), Seat(1)]) == [1]
    assert choose([("gpu2", Use.WORK, 1)], [spare(1, 2), Seat(1)]) == [1], "the free one has too few"


def test_what_is_worth_least_and_has_run_shortest_leaves() -> None:
    seats = [Seat(1, 1, Use.MEASURE), spare(2, began=5.0), spare(3, began=9.0), spare(4, gpus=4, began=9.5)]
    assert choose([("gpu", Use.WORK, 1)], seats) == [3]
    assert choose([("gpu", Use.WORK, 9)], seats) == [3, 2, 4, 1]
    assert choose([("gpu", Use.MEASURE, 9)], seats) == [3, 2, 4]


def test_nothing_leaves_to_its_like() -> None:
    assert choose([("gpu-low", Use.SPARE, 3)], [spare(1)]) == []
    assert choose([("gpu", Use.WORK, 3)], [Seat(1, 1, Use.WORK)]) == []


def test_only_a_worker_that_can_do_it_helps() -> None:
    assert choose([("gpu", Use.WORK, 1)], [spare(1, gpus=0)]) == []
    assert choose([("cpu", Use.WORK, 1), ("any", Use.MEASURE, 1)], [spare(1, gpus=0), spare(2)]) == [1, 2]
