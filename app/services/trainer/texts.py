"""Messages about a training: notes by code, failures by kind."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.core.text_data import TextData
from app.texts import PluralText, _ln, fill
from app.texts import reason as why

NOTES = {
    "weights_official": _l("Initial weights: pretrained weights %(name)s."),
    "weights_downloaded": _l("Initial weights: pretrained weights %(name)s, downloaded and verified."),
    "weights_rejected": _l("The file %(name)s in the weights folder isn't used: %(reason)s."),
    "weights_scratch": _l("The run starts from scratch, without %(name)s: %(reason)s. It needs more epochs."),
    "optimizer_auto": _l("Optimizer: %(name)s, learning rate: %(learning_rate)s, both set automatically."),
    "optimizer_set": _l("Optimizer: %(name)s, learning rate: %(learning_rate)s."),
    "nan_recovered": _l("The loss became NaN in epoch %(epoch)s: the run went back to the last checkpoint."),
    "weights_training": _l("Initial weights: checkpoint “%(checkpoint)s” of run %(training_id)s."),
    "weights_none": _l("The run starts from scratch, as you chose, and needs more epochs."),
    "batch_halved": _l(
        "Out of memory: the run continues after epoch %(epoch)s with a batch size of %(smaller)s instead of "
        "%(batch)s. Gradients are accumulated, so the effective batch size stays the same."
    ),
    "restarted_killed": _l(
        "The training process was killed externally. The run resumes automatically after epoch %(epoch)s."
    ),
    "restarted_stalled": _l(
        "The training process stopped responding and was ended. The run resumes automatically after epoch %(epoch)s."
    ),
    "restarted_terminated": _l(
        "The training process was terminated externally. The run resumes automatically after epoch %(epoch)s."
    ),
    "restarted_program_changed": _l(
        "The server was upgraded, and the training process could not load the rest of its program. The run resumes "
        "automatically after epoch %(epoch)s."
    ),
    "shutdown": _l("The server was shut down. The run resumes automatically after epoch %(epoch)s."),
    "disk_low": _l(
        "Only %(free)s MB of disk space is free, below the reserve of %(needed)s MB. The run pauses "
        "until there is enough space."
    ),
    "disk_full": _l("The disk is full. The run waits after epoch %(epoch)s until there is enough space."),
    "disk_free": _l("Disk space is available again (%(free)s MB). The run resumes."),
    "resumed": _l("The run resumes after epoch %(epoch)s, from its checkpoint."),
    "resume_rejected": _l("The checkpoint %(path)s isn't used: %(reason)s."),
    "schedule_stretched": _ln(
        "The learning rate schedule now covers %(epochs)s epoch: the rate goes from %(from)s to %(to)s, then falls.",
        "The learning rate schedule now covers %(epochs)s epochs: the rate goes from %(from)s to %(to)s, then falls.",
        "epochs",
    ),
    "schedule_kept": _l("The learning rate stays at %(to)s up to epoch %(epochs)s."),
    "events_damaged": _l(
        "The event file of attempt %(attempt)s is damaged. Some messages of the run may be missing; the weights are "
        "not affected."
    ),
    "results_damaged": _l("results.csv was damaged. The run recreated it from its checkpoint."),
    "uploaded": _l("Uploaded weights (%(file)s), trained elsewhere. Evaluate the model to see its metrics here."),
    "dataset_yaml_mended": _l("The dataset.yaml of the dataset was damaged and was recreated."),
}

STARTS_OVER = {  # variants of notes with an epoch, before the first one is complete
    "batch_halved": _l(
        "Out of memory: the run starts over with a batch size of %(smaller)s instead of %(batch)s. Gradients are "
        "accumulated, so the effective batch size stays the same."
    ),
    "restarted_killed": _l("The training process was killed externally. The run starts over automatically."),
    "restarted_stalled": _l(
        "The training process stopped responding and was ended. The run starts over automatically."
    ),
    "restarted_terminated": _l("The training process was terminated externally. The run starts over automatically."),
    "restarted_program_changed": _l(
        "The server was upgraded, and the training process could not load the rest of its program. The run starts over "
        "automatically."
    ),
    "shutdown": _l("The server was shut down. The run starts over automatically."),
    "disk_full": _l("The disk is full. The run waits until there is enough space, then starts over."),
}

FAILURES = {
    "out_of_memory": _l("Out of memory, even with smaller batches. Use a smaller image size or model."),
    "memory_limit": _l(
        "Out of memory while the run was loading: TRAINING_MEMORY_LIMIT is too small. Set it to 2 GB or more, or to 0 "
        "for no limit, restart the server and retry the run."
    ),
    "memory_start": _l(
        "Out of memory while the run was loading. Close other programs on the server and retry the run."
    ),
    "disk_full": _l("The disk is full. Free some space and start the run again."),
    "data": _l("The dataset can't be used for training. See its issues."),
    "weights": _l("The initial weights can't be used. Choose other weights or train from scratch."),
    "killed": _l(
        "The training process was killed externally, possibly because the system ran out of memory. Try again."
    ),
    "program_changed": _l(
        "Part of the server's program could not be loaded. Restart the server to complete its upgrade, then retry "
        "the run."
    ),
    "terminated": _l("The training process was terminated externally several times. Try again."),
    "stalled": _l("The training process stopped responding several times at the same point. See the log for details."),
    "files_missing": _l("The dataset's files are missing on the server. Restore the files, then retry the run."),
    "code": _l("The run failed with an error. See the log for details."),
}


def note(code: str, data: TextData) -> str:
    """The note in the reader's language; its code if it is unknown to this version."""
    text = STARTS_OVER.get(code) if data.get("epoch") == 0 else None
    text = text or NOTES.get(code, code)
    try:
        return fill(text, data)
    except (KeyError, TypeError, ValueError):
        return text.many if isinstance(text, PluralText) else str(text)


def failure(kind: str | None, error: str | None) -> str | None:
    """What happened and what to do, then the error itself."""
    error = error and why(error)
    if kind is None:
        return error
    advice = str(FAILURES.get(kind, FAILURES["code"]))
    return " ".join([advice, _("Error message: %(error)s", error=error)]) if error else advice
