"""The contract between the estimate's service and its program."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict, final

from app.core.spec import Spec
from app.core.train import TrainSpec

HALVINGS = 2

# The share of the entire work before each stage; in their order.
STAGES: dict[str, float] = {
    "importing": 0.0,
    "dataset": 0.15,
    "model": 0.25,
    "batches": 0.3,
    "plain_batches": 0.62,
    "validating": 0.8,
    "saving": 0.95,
}


@dataclass(frozen=True)
class EstimateSpec(Spec):
    """The task of the program; in spec.json beside the fields of the training, which the training's own code reads
    there.

    Args:
        training: as app/worker/programs/train.py expects it.
        measure_seconds: of an entire measurement, on a machine that is fast enough.
        halvings: how often the batch was halved after running out of memory.
    """

    training: TrainSpec
    measure_seconds: float
    halvings: int = 0

    @classmethod
    def of(cls, values: Mapping[str, object]) -> "EstimateSpec":
        """From spec.json.

        Raises:
            KeyError: a field is missing.
            TypeError: the same, or one is of another type.
        """
        measure_seconds, halvings = values["measure_seconds"], values["halvings"]
        if not isinstance(measure_seconds, int | float) or not isinstance(halvings, int):
            raise TypeError("no numbers")
        return cls(TrainSpec.of(values), float(measure_seconds), halvings)

    def values(self) -> dict[str, object]:
        """As written to spec.json."""
        return {**self.training.values(), "measure_seconds": self.measure_seconds, "halvings": self.halvings}

    def halved(self) -> "EstimateSpec | None":
        """The same with half the batch; None if the batch cannot be halved further."""
        batch = self.training.batch_now // 2
        if self.halvings >= HALVINGS or batch < 1:
            return None
        training = replace(self.training, batch_size=batch, batch_now=batch)
        return EstimateSpec(training, self.measure_seconds, self.halvings + 1)


@final
class EstimateFigures(TypedDict):
    """Measurements of a training. Seconds and bytes.

    `fits`: False if the batch was halved, to `batch`; `batches`: per epoch; `batch_seconds`: with mosaic;
    `plain_batch_seconds`: without; None: not measured.
    """

    fits: bool
    batch: int
    batches: int
    val_batches: int
    start_seconds: float
    batch_seconds: float
    plain_batch_seconds: float | None
    val_seconds: float
    save_seconds: float
    measured_batches: int
    parameters: int
    checkpoint_bytes: int
    memory: int
    memory_total: int
    device: str


@final
class NotMeasured(TypedDict):
    """The reason why not even a batch of one image could be measured."""

    error_kind: str
    error: str


EstimateResult = EstimateFigures | NotMeasured
