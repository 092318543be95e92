"""What the user reads about a training: notes by code, failures by kind."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from app.i18n import written

NOTES = {
    "weights_official": _l("Starts from the official weights %(name)s."),
    "weights_downloaded": _l("Starts from the official weights %(name)s, which were downloaded and checked."),
    "weights_rejected": _l("The file %(name)s in the weights folder is not used: %(reason)s."),
    "weights_scratch": _l("Starts from scratch, without %(name)s: %(reason)s. It needs more epochs this way."),
    "optimizer_auto": _l("Optimizer %(name)s with learning rate %(learning_rate)s, chosen automatically."),
    "optimizer_set": _l("Optimizer %(name)s, which uses the learning rate %(learning_rate)s."),
    "nan_recovered": _l("The loss was not a number in epoch %(epoch)s: went back to the last checkpoint."),
    "weights_training": _l("Starts from the checkpoint “%(checkpoint)s” of training %(training_id)s."),
    "weights_none": _l("Starts from scratch, as asked. It needs more epochs this way."),
    "batch_halved": _l(
        "Memory ran out: goes on after epoch %(epoch)s with a batch of %(smaller)s instead of %(batch)s. Gradients are "
        "accumulated, so that it learns as before."
    ),
    "restarted_killed": _l("The process was killed from outside: goes on by itself after epoch %(epoch)s."),
    "restarted_stalled": _l("The process gave no sign of life and was ended: goes on by itself after epoch %(epoch)s."),
    "restarted_terminated": _l("The process was asked to end from outside: goes on by itself after epoch %(epoch)s."),
    "shutdown": _l("The server was stopped: goes on by itself after epoch %(epoch)s."),
    "disk_low": _l("Only %(free)s MB of disk are free, %(needed)s MB are the reserve: pauses until there is room."),
    "disk_full": _l("The disk is full: waits after epoch %(epoch)s until there is room."),
    "disk_free": _l("There is room on the disk again (%(free)s MB): goes on."),
    "resumed": _l("Goes on after epoch %(epoch)s, from its checkpoint."),
    "resume_rejected": _l("The checkpoint %(path)s is not used: %(reason)s."),
    "schedule_stretched": _l(
        "The learning rate schedule is laid over %(epochs)s epochs: it goes from %(from)s to %(to)s, then falls again."
    ),
    "schedule_kept": _l("The learning rate stays at %(to)s up to epoch %(epochs)s."),
}

FAILURES = {
    "out_of_memory": _l("Memory ran out, with ever smaller batches too. Use a smaller image size or model."),
    "disk_full": _l("The disk is full. Free some space and start again."),
    "data": _l("The dataset cannot be trained on. See its findings."),
    "weights": _l("The start weights cannot be used. Choose others, or start from scratch."),
    "killed": _l("The training process was killed from outside; perhaps the system's memory ran out. Try again."),
    "terminated": _l("The training process was asked to end from outside, several times. Try again."),
    "stalled": _l("The training process gave no sign of life, several times at the same place. See the log."),
    "code": _l("The training ended with an error. The log says more."),
}


# Of app/worker/weights.py, which cannot translate; others are shown as they are.
REASONS = {
    "downloads are switched off (WEIGHTS_URL)": _l("downloads are switched off (WEIGHTS_URL)"),
    "the download failed": _l("the download failed"),
    "nobody has published such weights": _l("nobody has published such weights"),
    "the file is damaged or no weights file": _l("the file is damaged or no weights file"),
    "the file is missing": _l("the file is missing"),
    "the file holds no optimizer: a training cannot go on from it": _l(
        "the file holds no optimizer: a training cannot go on from it"
    ),
}


def note(code: str, data: Mapping[str, Any]) -> str:
    """The note in the reader's language; its code where this version has no text for it."""
    text = str(NOTES.get(code, code))
    reason = str(data.get("reason"))
    try:
        return text % {**written(data), "reason": REASONS.get(reason, reason)}
    except (KeyError, TypeError):
        return text


def failure(kind: str | None, error: str | None) -> str | None:
    """What happened and what to do, with the error itself behind it."""
    error = error and str(REASONS.get(error, error))
    if kind is None:
        return error
    advice = str(FAILURES.get(kind, FAILURES["code"]))
    return f"{advice} ({error})" if error else advice
