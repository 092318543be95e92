"""Parameters of the run and of how images are read."""

from flask_babel import lazy_gettext as _l

from app.services.trainer.params.kinds import BOXES, Parameter

RUN = (
    Parameter("device", "device", "run", _l(
        "Where to compute: “auto” takes a free GPU, else the CPU; “cpu”; a GPU's number such as 0; several such as 0,1."
    )),
    Parameter("patience", "integer", "run", _l(
        "Stop early when so many epochs brought no better result. 0 never stops early."
    ), 0, 10_000),
    Parameter("save_period", "integer", "run", _l(
        "Keep a checkpoint of every so many epochs for good, beside the newest and the best. Below 1, none."
    ), -1, 10_000),
    Parameter("amp", "boolean", "run", _l(
        "Compute in half precision where the GPU can (automatic mixed precision): less memory, and faster."
    )),
    Parameter("seed", "integer", "run", _l(
        "The start of all chance. The same seed, data and machine give the same training."
    ), 0, 2**31 - 1),
    Parameter("deterministic", "boolean", "run", _l(
        "Use only algorithms that give the same result each time. Switched off, a GPU may be faster."
    )),
    Parameter("workers", "integer", "run", _l(
        "Processes that read and augment images for the GPU. More help when the GPU waits; each needs memory. On a CPU "
        "it is always 0."
    ), 0, 32),
    Parameter("max_det", "integer", "run", _l(
        "The most objects in one image that the validation counts. Raise it for crowded images."
    ), 1, 3000, tasks=BOXES),
    Parameter("plots", "boolean", "run", _l(
        "Draw curves, the confusion matrix and examples of batches into the run's folder."
    )),
)  # fmt: skip

DATA = (
    Parameter("cache", "choice", "data", _l(
        "“ram” keeps the decoded images in memory: faster epochs, where there is memory for all of them."
    ), choices=(False, "ram")),
    Parameter("fraction", "number", "data", _l(
        "The part of the training images that is used. 0.1 tries out settings on a tenth."
    ), 0.01, 1),
    Parameter("rect", "boolean", "data", _l(
        "Batches of images with a similar shape, with less padding: faster for wide or tall images. Mosaic and mixing "
        "are off then."
    ), tasks=BOXES),
    Parameter("multi_scale", "number", "data", _l(
        "The image size changes from batch to batch by up to this part, so that the model learns several sizes."
    ), 0, 0.9, tasks=BOXES),
)  # fmt: skip

PARAMETERS = RUN + DATA
