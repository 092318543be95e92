"""When enough batches were measured, and the duration of a batch."""

from dataclasses import replace

import pytest

from app.core.estimate import EstimateSpec
from app.core.train import TrainSpec
from app.worker.estimating.pace import MOST, SETTLED, BatchPace

TRAINING = TrainSpec(
    training_id=1,
    training_dir="models/1",
    data="datasets/1/dataset.yaml",
    task="detect",
    model_version="n",
    architecture=None,
    start={"kind": "scratch"},
    resume=None,
    epochs=3,
    batch_size=8,
    batch_now=8,
    img_size=64,
    learning_rate=None,
    device="cpu",
    params={},
    extensions=[],
    memory_limit=0,
    weights_dir="weights",
    weights_url="",
)


def after(pace: BatchPace, *ends: float) -> BatchPace:
    for end in ends:
        pace.add_batch(end)
    return pace


def test_a_slow_machine_sees_one_batch_more_than_the_first() -> None:
    pace = BatchPace(10.0, 0, True, 0.0)
    assert not after(pace, 9.0).enough(9.0), "the first batch is slower than the others"
    assert after(pace, 12.0).enough(12.0)
    assert pace.batch_seconds(True, 1) == 3.0
    assert (pace.warm_up, pace.measured()) == (9.0, 1)


def test_a_phase_has_its_share_of_the_time() -> None:
    pace = after(BatchPace(100.0, 0, True, 0.0), 1.0, 11.0, 21.0, 46.0)
    assert not pace.enough(46.0)
    assert after(pace, 52.0).enough(52.0)
    pace.begin_without_mosaic(52.0)
    assert not pace.enough(52.0)
    after(pace, 60.0, 66.0, 72.5)
    assert pace.enough(72.5)
    assert pace.batch_seconds(False, 1) == pytest.approx(20.5 / 3)


def test_a_steady_pace_needs_no_more() -> None:
    pace = after(BatchPace(1000.0, 0, True, 0.0), *(0.5 * number for number in range(1, SETTLED + 1)))
    assert not pace.enough(10.0)
    assert after(pace, 0.5 * (SETTLED + 1)).enough(10.5)
    assert not after(BatchPace(1000.0, MOST, True, 0.0), *map(float, range(1, SETTLED + 5))).enough(25.0)


def test_steps_are_shared_and_epochs_cost_nothing() -> None:
    pace = after(BatchPace(100.0, 0, True, 0.0), 1.0)
    pace.add_step(0.5)
    after(pace, 3.0)
    pace.begin_epoch(10.0)
    after(pace, 12.0)
    assert pace.batch_seconds(True, 4) == pytest.approx((1.5 + 2.0) / 2 + 0.5 / 4)
    assert pace.batch_seconds(False, 4) is None


def test_the_batch_is_halved_twice() -> None:
    spec = EstimateSpec(TRAINING, 18.0)
    half = spec.halved()
    assert half is not None
    quarter = half.halved()
    assert quarter is not None
    assert quarter.training == replace(TRAINING, batch_size=2, batch_now=2)
    assert quarter.halved() is None
    assert EstimateSpec.of(quarter.values() | {"program": "estimate"}) == quarter
    assert EstimateSpec(replace(TRAINING, batch_now=1), 1.0).halved() is None
