"""Builds the arguments for ultralytics."""

import os

from app.core.train import TrainSpec, UltralyticsArguments
from app.worker.resume import Resume

ADAPTIVE = {"Adam", "Adamax", "AdamW", "NAdam", "RAdam"}
NBS, WEIGHT_DECAY = 64, 0.0005  # ultralytics' defaults
# Chosen once: with more epochs, ultralytics might choose another optimizer, which cannot load the saved state.
CHOSEN = ("optimizer", "lr0", "warmup_bias_lr")


def arguments(spec: TrainSpec, model: str, resume: Resume | None = None) -> UltralyticsArguments:
    """All arguments. The web process has checked `params` against an allow-list."""
    params = spec.params
    values: UltralyticsArguments = {
        "task": spec.task,
        "mode": "train",
        "model": model,
        "data": spec.data,
        "epochs": spec.epochs,
        "batch": spec.batch_size,
        "imgsz": spec.img_size,
        "project": spec.training_dir,
        "name": "run",
        "exist_ok": True,
        "device": spec.device or None,
        "workers": min(8, len(os.sched_getaffinity(0))),  # cpu_count() ignores a container's limit
    }
    if spec.learning_rate is not None:
        values["lr0"] = spec.learning_rate
    if params.get("optimizer") in ADAPTIVE:
        values["warmup_bias_lr"] = 0.0  # as ultralytics does for an automatic AdamW; 0.1 is meant for SGD
    values |= params
    values["amp"] = precision(params.get("amp", True), spec.device)
    values |= nominal(spec.batch_size, spec.batch_now, values)
    if resume is not None:
        values |= going_on(resume, values)
    # Saving triggers events and our copies, `save_period` included (checkpoints.py).
    return values | {"save": True, "save_period": -1}


def nominal(batch_size: int, now: int, values: UltralyticsArguments) -> UltralyticsArguments:
    """Arguments for a smaller batch with the same optimizer step, by accumulating the gradients of more batches.

    ultralytics accumulates a = max(round(nbs / batch), 1) batches and scales the weight decay by batch * a / nbs. The
    step was over E = asked * a images; with nbs = E it is now * round(E / now) = E again. For example 128 with nbs 64:
    a = 1, E = 128; batch 64 with nbs 128: a = 2, 64 * 2 = 128. 24: a = 3, E = 72; batch 12 with nbs 72: a = 6, 12 * 6
    = 72. The scaled decay was decay * E / 64 and would be decay * E / E: hence the factor.
    """
    if now == batch_size:
        return {}
    nbs = values.get("nbs", NBS)
    step = batch_size * max(round(nbs / batch_size), 1)
    return {"batch": now, "nbs": step, "weight_decay": values.get("weight_decay", WEIGHT_DECAY) * step / nbs}


def going_on(resume: Resume, values: UltralyticsArguments) -> UltralyticsArguments:
    """Ours, with the checkpoint's model and the optimizer that `optimizer=auto` once chose."""
    automatic = values.get("optimizer", "auto") == "auto"
    chosen = {name: resume.arguments[name] for name in CHOSEN} if automatic else {}
    return {"model": str(resume.path), "resume": str(resume.path)} | chosen


def precision(requested: bool, device: str) -> bool | str:
    """bfloat16 if the GPU has it: it needs no loss scaling, and spares ultralytics' check, which downloads weights."""
    import torch

    if not requested or device == "cpu" or not torch.cuda.is_available():
        return requested
    return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else True
