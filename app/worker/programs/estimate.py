"""Measures a few real batches of a training.

spec.json: see `EstimateSpec`. The training's own code runs, with a trainer that stops once it knows enough. Batches
with mosaic and without are both measured, so that the figures serve any number of epochs. What it is doing is said as
Stage events. Result: the figures of `Measurement.figures`. When memory runs out, the batch is halved and measured
again: `fits` is false then, and the figures are those of `batch`, the largest that did fit; `error_kind` and `error`
where none did.
"""

import json
import os
import sys
import traceback

from app.core.estimate import EstimateFigures, EstimateResult, EstimateSpec
from app.core.files import atomic_write
from app.core.train import TrainSpec
from app.worker import train
from app.worker.channel import Channel
from app.worker.failures import kind_of, sentence
from app.worker.memory import memory_limit


def run(channel: Channel) -> EstimateResult:
    """Measure what `spec.json` names."""
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
    """The figures of the batch in the spec."""
    from app.worker.estimating.measurement import Measurement, MeasurementComplete
    from app.worker.tasks import TRAINERS, trainer_key

    training = channel.spec
    key = trainer_key(TrainSpec.of(training))
    parts = (Measurement, TRAINERS[key])
    TRAINERS[key] = type(f"Measuring{parts[1].__name__}", parts, {"measure_seconds": spec.measure_seconds})
    if training["device"] == "cpu":
        training["memory_limit"] = memory_limit(training["memory_limit"])
    try:
        train.train(channel)
    except MeasurementComplete as end:
        return {**end.figures, "fits": end.figures["fits"] and not spec.halvings}
    raise RuntimeError("the training ended without a measurement")


def begin_anew(channel: Channel, spec: EstimateSpec) -> None:
    """Start again with another spec, as the same process with an empty memory."""
    values = spec.values() | {"program": "estimate"}
    atomic_write(channel.directory / "spec.json", lambda draft: draft.write_text(json.dumps(values), encoding="utf-8"))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "app.worker.run", str(channel.directory)])  # noqa: S606
