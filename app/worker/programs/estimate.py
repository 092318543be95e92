"""Measures a few batches of a training.

spec.json: see `EstimateSpec`. Runs the training's own code, with a trainer that stops after enough batches. Batches
with and without mosaic are both measured, so that the result applies to any number of epochs. Progress is reported as
Stage events. Result: that of `Measurement.figures`. If memory runs out, the batch is halved and measured again: `fits`
is then false, and the result is for `batch`, the largest that fits; `error_kind` and `error` if none does.
"""

import json
import os
import sys
import traceback

from app.core.estimate import EstimateFigures, EstimateResult, EstimateSpec
from app.core.files import atomic_write
from app.worker import train
from app.worker.channel import Channel
from app.worker.failures import kind_of, sentence
from app.worker.memory import memory_limit


def run(channel: Channel) -> EstimateResult:
    """Run the measurement of the spec."""
    spec = EstimateSpec.of(channel.spec)
    try:
        return measure(channel, spec)
    except Exception as error:
        if kind_of(error) != "out_of_memory":
            raise
        traceback.print_exc()
        smaller = spec.halved()
        if smaller is not None:
            begin_anew(channel, smaller)
        return {"error_kind": "out_of_memory", "error": sentence(error)}


def measure(channel: Channel, spec: EstimateSpec) -> EstimateFigures:
    """The measurements with the spec's batch."""
    from app.worker.estimating.measurement import Measurement, MeasurementComplete
    from app.worker.tasks import TRAINERS, trainer_key

    key = trainer_key(spec.training)
    parts = (Measurement, TRAINERS[key])
    TRAINERS[key] = type(f"Measuring{parts[1].__name__}", parts, {"measure_seconds": spec.measure_seconds})
    if spec.training.device == "cpu":
        channel.spec["memory_limit"] = memory_limit(spec.training.memory_limit)
    try:
        train.train(channel)
    except MeasurementComplete as end:
        return {**end.figures, "fits": end.figures["fits"] and not spec.halvings}
    raise RuntimeError("the training ended without a measurement")


def begin_anew(channel: Channel, spec: EstimateSpec) -> None:
    """Restart with another spec, as the same process with empty memory."""
    values = spec.values() | {"program": "estimate"}
    atomic_write(channel.directory / "spec.json", lambda draft: draft.write_text(json.dumps(values), encoding="utf-8"))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "app.worker.run", str(channel.directory)])  # noqa: S606
