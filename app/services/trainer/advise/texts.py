"""What the rules say, in the reader's language."""

from typing import Any

from flask_babel import format_decimal
from flask_babel import lazy_gettext as _l

GB = 2**30  # as the pages and the settings count them

PRESETS = {
    "quick": (
        _l("Quick look"),
        _l("A small model for a few epochs: does the dataset work, is there something to learn?"),
    ),
    "balanced": (_l("Balanced"), _l("A good model in a reasonable time. The right one for most.")),
    "best": (_l("Best"), _l("A larger model that learns for long. For the last percents, when the dataset is good.")),
}

REASONS = {
    "rate_automatic": _l("Empty: the optimizer and its rate are chosen by the number of steps."),
    "size_classify": _l("Whole pictures are told apart well at this size; classification models are published for it."),
    "size_quick": _l("%(size)s px: a quarter of the work of 640 px, enough for a first look."),
    "size_unknown": _l("%(size)s px: what the official weights were trained with."),
    "size_usual": _l("%(size)s px: what the official weights were trained with, and enough for these objects."),
    "size_native": _l("Most pictures have %(picture)s px; larger would only enlarge them."),
    "size_small_objects": _l(
        "A tenth of the objects is small. At %(size)s px they are about %(side)s px wide; the finest grid has 8 px."
    ),
    "model_cpu": _l("There is no GPU: the smallest model is the one that a processor trains in hours and not in days."),
    "model_cpu_best": _l("Without a GPU a larger one would take days: three times the work of nano is a fair limit."),
    "model_quick": _l("The smallest one answers soonest."),
    "model_gpu": _l("For %(images)s pictures on %(gpu)s with %(memory)s GB."),
    "model_few": _l("%(images)s pictures are few: a larger model would learn them by heart."),
    "batch_few": _l(
        "%(images)s pictures to learn from: with more than %(batch)s a step an epoch would be over at once."
    ),
    "batch_cpu": _l("%(batch)s pictures a step: steady enough; more is no faster on a processor."),
    "batch_memory": _l("%(batch)s fit into about 60 %% of %(memory)s GB. The estimate measures it."),
    "epochs": _l("%(epochs)s epochs of %(steps)s steps: %(all)s steps in all. The best epoch is kept."),
}

WARNINGS = {
    "batch_memory": _l(
        "A batch of %(batch)s needs about %(needed)s GB at this size, of %(memory)s GB. %(fits)s should fit."
    ),
    "memory": _l(
        "About %(needed)s GB are needed and the device has %(memory)s GB. Use a smaller model or image size."
    ),
    "batch_dataset": _l("The batch (%(batch)s) is larger than the dataset (%(images)s pictures to learn from)."),
    "batch_small": _l("With %(batch)s pictures a step the model's normalisation is unsteady. Use 4 or more."),
    "size_stride": _l("%(size)s is no multiple of 32; %(rounded)s is used."),
    "size_objects": _l(
        "At %(size)s px a tenth of the objects is under %(side)s px wide. They will hardly be found; use %(better)s px."
    ),
    "size_enlarged": _l(
        "Most pictures have %(picture)s px. At %(size)s px they are enlarged: it takes longer and adds nothing."
    ),
    "epochs_few": _l("%(steps)s steps in all are too few to learn much."),
    "epochs_many": _l("%(epochs)s epochs are many. The training stops by itself when nothing gets better (patience)."),
    "rate_high": _l("A learning rate of %(rate)s lets most trainings diverge. Leave it empty, or try %(usual)s."),
    "model_slow": _l("%(model)s needs %(times)s times the work of nano. On a processor that takes days."),
    "model_few": _l("%(images)s pictures are few for so large a model: it would learn them by heart."),
    "val_few": _l("Only %(images)s pictures to validate on: the figures will jump from epoch to epoch."),
    "val_none": _l("There are no pictures to validate on: the figures will say nothing about new pictures."),
    "classes_rare": _l("Classes with fewer than %(few)s objects will hardly be learned: %(names)s."),
}  # fmt: skip


def preset(name: str) -> tuple[str, str]:
    title, text = PRESETS[name]
    return str(title), str(text)


def reason(code: str, **data: Any) -> str:
    return str(REASONS[code]) % {key: number(value) for key, value in data.items()}


def warning(code: str, **data: Any) -> str:
    return str(WARNINGS[code]) % {key: number(value) for key, value in data.items()}


def number(value: Any) -> Any:
    """A number as the reader writes it; other things as they are."""
    return format_decimal(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def gigabytes(size: float) -> str:
    return format_decimal(round(size / GB, 1))
