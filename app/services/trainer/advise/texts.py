"""Messages of the rules, in the reader's language."""

from typing import Any

from flask_babel import format_decimal
from flask_babel import lazy_gettext as _l

from app.texts import _ln, fill

GB = 2**30  # the unit of the pages and the settings

PRESETS = {
    "quick": (
        _l("Quick test"),
        _l("Small model, few epochs. Checks that the dataset works before a full run."),
    ),
    "balanced": (_l("Balanced"), _l("Good results in reasonable time. Recommended for most datasets.")),
    "best": (
        _l("Best"),
        _l("Larger model, longer training. For the last few points of mAP, once the dataset is good."),
    ),
}

REASONS = {
    "rate_automatic": _l("Leave empty: the optimizer and learning rate depend on the number of iterations."),
    "size_classify": _l("This size is enough to classify images, and pretrained classification models use it."),
    "size_quick": _l("%(size)s px: a quarter of the compute of 640 px, enough for a quick test."),
    "size_unknown": _l("%(size)s px: the size the pretrained weights were trained at."),
    "size_usual": _l("%(size)s px: the size the pretrained weights were trained at, and enough for these objects."),
    "size_native": _l("Most images have %(picture)s px. A larger size would only enlarge the images."),
    "size_small_objects": _l(
        "One in ten objects is small: about %(side)s px wide at %(size)s px. The finest grid cell has 8 px."
    ),
    "model_cpu": _l("No GPU available. On a CPU, only the smallest model trains in reasonable time."),
    "model_cpu_best": _l("Three times the compute of the nano model: without a GPU, a larger model would be too slow."),
    "model_quick": _l("The smallest model trains fastest."),
    "model_gpu": _ln(
        "For %(images)s training image on %(gpu)s with %(memory)s GB.",
        "For %(images)s training images on %(gpu)s with %(memory)s GB.",
        "images",
    ),
    "model_few": _ln(
        "Only %(images)s training image: a larger model would overfit.",
        "Only %(images)s training images: a larger model would overfit.",
        "images",
    ),
    "batch_few": _ln(
        "The dataset has %(images)s training image. With a batch size above %(batch)s, an epoch would have too few "
        "iterations.",
        "The dataset has %(images)s training images. With a batch size above %(batch)s, an epoch would have too "
        "few iterations.",
        "images",
    ),
    "batch_cpu": _l("A batch size of %(batch)s is stable enough. A larger one is no faster on a CPU."),
    "batch_memory": _l(
        "A batch size of %(batch)s fits into about 60%% of %(memory)s GB. The estimate gives the exact value."
    ),
    "epochs_scratch": _l(
        "Epochs × iterations per epoch: %(epochs)s × %(steps)s. From scratch, a model needs about three times as "
        "many as from pretrained weights. The best epoch is kept."
    ),
    "epochs": _l("Epochs × iterations per epoch: %(epochs)s × %(steps)s = %(all)s. The best epoch is kept."),
}

WARNINGS = {
    "batch_memory": _l(
        "A batch size of %(batch)s needs about %(needed)s GB at this image size; the device has %(memory)s GB. "
        "%(fits)s should fit."
    ),
    "memory": _l("The run needs about %(needed)s GB; the device has %(memory)s GB. Use a smaller model or image size."),
    "batch_dataset": _ln(
        "The batch size (%(batch)s) is larger than the training set (%(images)s image).",
        "The batch size (%(batch)s) is larger than the training set (%(images)s images).",
        "images",
    ),
    "batch_small": _l("With a batch size of %(batch)s, batch normalization is unstable. Use 4 or more."),
    "size_stride": _l("%(size)s isn't a multiple of 32. %(rounded)s is used instead."),
    "size_objects": _l(
        "At %(size)s px, one in ten objects is under %(side)s px wide and can hardly be detected. Use %(better)s px."
    ),
    "size_enlarged": _l(
        "Most images have %(picture)s px. At %(size)s px, images are enlarged: training is slower without better "
        "results."
    ),
    "epochs_few": _ln(
        "%(steps)s iteration in total is too few to learn much.",
        "%(steps)s iterations in total are too few to learn much.",
        "steps",
    ),
    "epochs_many": _ln(
        "A run of %(epochs)s epoch is long. Early stopping (patience) ends the run when results no longer improve.",
        "A run of %(epochs)s epochs is long. Early stopping (patience) ends the run when results no longer improve.",
        "epochs",
    ),
    "rate_high": _l("With a learning rate of %(rate)s, most runs diverge. Leave the field empty or try %(usual)s."),
    "model_slow": _l(
        "%(model)s needs %(times)s times the compute of the nano model. On a CPU, it trains that much more slowly."
    ),
    "model_few": _ln(
        "Only %(images)s training image: such a large model would overfit.",
        "Only %(images)s training images: such a large model would overfit.",
        "images",
    ),
    "val_few": _ln(
        "Only %(images)s validation image: metrics will fluctuate from epoch to epoch.",
        "Only %(images)s validation images: metrics will fluctuate from epoch to epoch.",
        "images",
    ),
    "val_none": _l("The dataset has no validation set, so the metrics say nothing about new images."),
    "classes_rare": _l("Classes with too few objects (fewer than %(few)s): %(names)s. Their results will be poor."),
}


def preset(name: str) -> tuple[str, str]:
    title, text = PRESETS[name]
    return str(title), str(text)


def reason(code: str, **data: Any) -> str:
    return fill(REASONS[code], data)


def warning(code: str, **data: Any) -> str:
    return fill(WARNINGS[code], data)


def gigabytes(size: float) -> str:
    return format_decimal(round(size / GB, 1))
