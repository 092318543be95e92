"""The reported progress of a running job: it never decreases, and the remaining time is measured."""

import time

import pytest

from app.jobs.kinds import JobKind, Part
from app.jobs.live import Meter
from app.services.datasets.specs import STAGES


def advance(meter: Meter, seconds: float, done: int, total: int, stage: str, part: Part | None = None) -> None:
    """A report, with its time in seconds after the first one of the stage."""
    meter.advance(done, total, stage, part)
    if seconds:
        assert meter.first
        meter.first = (meter.first[0], time.monotonic() - seconds)


def test_a_stage_that_begins_in_the_middle_has_no_time_left_of_zero() -> None:
    """An export counts all of its stages together: earlier, `0 s left` was shown for a moment during the
    verification.
    """
    meter = Meter()
    advance(meter, 0, 0, 1000, "exporting")
    advance(meter, 0, 300, 1000, "verifying")
    read = meter.read()
    assert (read["percent"], read["rate"], read["eta"]) == (30.0, None, None), "nothing of this stage is measured"
    advance(meter, 10, 400, 1000, "verifying")
    read = meter.read()
    assert read["rate"] == pytest.approx(10, rel=0.01)
    assert read["eta"] == pytest.approx(60, rel=0.01)


def test_loading_is_no_part_of_the_pace() -> None:
    meter = Meter(started=time.monotonic() - 60, began=time.monotonic() - 60)
    advance(meter, 0, 16, 160, "")
    assert meter.read()["eta"] is None
    advance(meter, 4, 48, 160, "")
    assert meter.read()["eta"] == pytest.approx(14, rel=0.01)


def test_an_import_counts_the_stages_that_follow() -> None:
    """Earlier, `90% · about 5 s left` took 13 s, since it covered one stage of three."""
    kind, meter = JobKind("import_dataset", "import_dataset", lambda _job, _directory: {}, stages=STAGES), Meter()
    percents = []
    for stage in ("extracting", "reading", "scanning", "checking", "building"):
        for done in (0, 180, 364):
            total = 0 if stage == "reading" else 364
            advance(meter, done / 10, done if total else 0, total, stage, kind.part(stage))
            percents.append(meter.percent())
            if stage == "extracting":
                assert meter.read()["eta"] is None, "the images are not measured yet"
    assert percents == sorted(percents)  # type: ignore[type-var]
    assert percents[-1] == 100.0
    advance(meter, 0, 0, 364, "scanning", kind.part("scanning"))
    advance(meter, 50, 328, 364, "scanning", kind.part("scanning"))
    part = kind.part("scanning")
    assert part
    rate, after = 328 / 50, 1 - part.share - part.width
    assert meter.read()["eta"] == pytest.approx((364 - 328) / rate + 364 / rate * after / part.width, rel=0.01)
    advance(meter, 0, 0, 364, "building", kind.part("building"))
    advance(meter, 2, 182, 364, "building", kind.part("building"))
    assert meter.read()["eta"] == pytest.approx(2, rel=0.01)


def test_no_time_left_by_a_few_images_and_none_when_all_are_counted() -> None:
    """Earlier, an import of 18 s showed 5,025 s after its first image, and 0 s for the 4 s after its last one."""
    meter, part = Meter(), Part(0.15, 0.6)
    advance(meter, 0, 0, 364, "scanning", part)
    advance(meter, 0.8, 2, 364, "scanning", part)
    assert meter.read()["eta"] is None
    advance(meter, 1.6, 40, 364, "scanning", part)
    assert meter.read()["eta"] == pytest.approx(1.6 / 40 * (324 + 364 * 0.25 / 0.6), rel=0.01)
    advance(meter, 9, 364, 364, "building", Part(0.95, 0.05))
    assert (meter.read()["percent"], meter.read()["eta"]) == (100.0, None)
