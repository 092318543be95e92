"""A measurement that is going on: what it does now, and how far it is."""

import time
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.events import Stage

PLANNED_S = 18.0  # all of a measurement, on a machine that is fast enough
STAGES: dict[str, tuple[float, Any]] = {  # where each begins, as a share of the whole; in their order
    "importing": (0.0, _l("Starting the measurement process")),
    "dataset": (0.15, _l("Reading the dataset")),
    "model": (0.25, _l("Building the model")),
    "batches": (0.3, _l("Measuring training iterations")),
    "plain_batches": (0.62, _l("Measuring training iterations without mosaic")),
    "validating": (0.8, _l("Measuring validation")),
    "saving": (0.95, _l("Measuring the size of a checkpoint")),
}


@dataclass
class Measuring:
    """One measurement; `key` says of what."""

    key: str
    stage: str = "importing"
    began: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.monotonic)  # the stage

    def hear(self, event: Any) -> None:
        """What the child says."""
        if isinstance(event, Stage) and event.name in STAGES and event.name != self.stage:
            self.stage, self.since = event.name, time.monotonic()

    @property
    def fraction(self) -> float:
        """0 to 1: within a stage by the clock, up to where the next one begins."""
        begins = STAGES[self.stage][0]
        ends = min((start for start, _text in STAGES.values() if start > begins), default=1.0)
        return round(min(begins + (time.monotonic() - self.since) / PLANNED_S, ends), 3)

    def answer(self, key: str, device: str) -> dict[str, Any]:
        """What who asks about a configuration is told."""
        mine = self.key == key
        return {
            "status": "measuring",
            "device": device,
            "stage": self.stage if mine else "waiting",
            "message": str(STAGES[self.stage][1]) if mine else _("Waiting for another measurement to end"),
            "fraction": self.fraction if mine else 0.0,
            "elapsed": round(time.monotonic() - self.began, 1) if mine else 0.0,
        }
