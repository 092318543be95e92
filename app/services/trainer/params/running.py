"""Parameters of the run and of image loading."""

from flask_babel import lazy_gettext as _l

from app.core.tasks import LOCALIZED
from app.services.trainer.params.kinds import Parameter

RUN = (
    Parameter(
        "device",
        "device",
        "run",
        _l(
            "Device: “auto” uses a free GPU, otherwise the CPU; “cpu”; a GPU number such as “0”; or several GPUs such "
            "as “0,1”."
        ),
    ),
    Parameter(
        "patience",
        "integer",
        "run",
        _l("Early stopping: the run ends after this many epochs without improvement. 0 turns it off."),
        0,
        10_000,
    ),
    Parameter(
        "save_period",
        "integer",
        "run",
        _l("Keeps a checkpoint every this many epochs, in addition to the last and the best one. Below 1: none."),
        -1,
        10_000,
    ),
    Parameter(
        "amp",
        "boolean",
        "run",
        _l("Automatic mixed precision (AMP), if the GPU supports it: less memory and faster training."),
    ),
    Parameter(
        "seed",
        "integer",
        "run",
        _l("Random seed. The same seed, data and machine give the same results."),
        0,
        2**31 - 1,
    ),
    Parameter(
        "deterministic", "boolean", "run", _l("Uses deterministic algorithms only. Without them, a GPU may be faster.")
    ),
    Parameter(
        "workers",
        "integer",
        "run",
        _l(
            "Number of workers that load and augment images. More workers help when the GPU is idle; each uses memory. "
            "On a CPU, always 0."
        ),
        0,
        32,
    ),
    Parameter(
        "max_det",
        "integer",
        "run",
        _l("Maximum number of detections per image in validation. Increase it for crowded images."),
        1,
        3000,
        tasks=LOCALIZED,
    ),
    Parameter(
        "plots", "boolean", "run", _l("Saves curves, the confusion matrix and example batches in the run folder.")
    ),
)

DATA = (
    Parameter(
        "cache",
        "choice",
        "data",
        _l("“ram” keeps decoded images in memory, “disk” on disk: faster epochs, if there is enough space."),
        choices=(False, "ram"),
    ),
    Parameter(
        "fraction",
        "number",
        "data",
        _l("Fraction of the training set that is used. A small fraction tests settings quickly."),
        0.01,
        1,
    ),
    Parameter(
        "rect",
        "boolean",
        "data",
        _l(
            "Batches of images with similar shapes, with less padding. Faster for wide or tall images; turns mosaic "
            "and mixing off."
        ),
        tasks=LOCALIZED,
    ),
    Parameter(
        "multi_scale",
        "number",
        "data",
        _l("Varies the image size from batch to batch by up to this fraction, so that the model learns several sizes."),
        0,
        0.9,
        tasks=LOCALIZED,
    ),
)

PARAMETERS = RUN + DATA
