"""The response to an estimate while something is measured."""

import time

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from app.core.estimate import STAGES
from app.jobs.live import Meter
from app.schemas.estimate import EstimateOutValues

TEXTS: dict[str, LazyString] = {
    "importing": _l("Starting the measurement process"),
    "dataset": _l("Reading the dataset"),
    "model": _l("Building the model"),
    "batches": _l("Measuring training iterations"),
    "plain_batches": _l("Measuring training iterations without mosaic"),
    "validating": _l("Measuring validation"),
    "saving": _l("Measuring the size of a checkpoint"),
}


def under_way(device: str, meter: Meter | None, planned: float) -> EstimateOutValues:
    """The progress of the measurement of this configuration.

    Args:
        meter: None: it has not started.
        planned: duration of the measurement, s.
    """
    stage = meter.stage if meter and meter.stage in STAGES else "importing"
    return {
        "status": "measuring",
        "device": device,
        "stage": stage,
        "message": str(TEXTS[stage]),
        "fraction": fraction(stage, time.monotonic() - meter.began, planned) if meter else 0.0,
        "elapsed": round(time.monotonic() - meter.started, 1) if meter else 0.0,
    }


def behind_another(device: str) -> EstimateOutValues:
    """Another configuration is measured first."""
    message = _("Waiting for another measurement to end")
    return {
        "status": "measuring",
        "device": device,
        "stage": "waiting",
        "message": message,
        "fraction": 0.0,
        "elapsed": 0.0,
    }


def fraction(stage: str, seconds: float, planned: float) -> float:
    """0 to 1: within a stage by the clock, up to the start of the next one."""
    begins = STAGES[stage]
    ends = min((start for start in STAGES.values() if start > begins), default=1.0)
    return round(min(begins + seconds / planned, ends), 3)
