"""Parameters of the optimizer, the loss and the model."""

from flask_babel import lazy_gettext as _l

from app.core.tasks import LOCALIZED
from app.services.trainer.params.kinds import OPTIMIZERS, Parameter

FREEZABLE = 42  # of the 43 layers of yolov9e, the largest model: at least the last one is trained

OPTIMIZER = (
    Parameter(
        "optimizer",
        "choice",
        "optimizer",
        _l(
            "Optimizer. “auto” chooses it by the length of the run and also sets the learning rate. A learning rate "
            "that you set is always used."
        ),
        choices=OPTIMIZERS,
    ),
    Parameter("lrf", "number", "optimizer", _l("Final learning rate, as a fraction of the initial one."), 1e-6, 1),
    Parameter(
        "cos_lr",
        "boolean",
        "optimizer",
        _l(
            "Cosine learning rate schedule instead of a linear one: higher for longer at the start, lower for longer "
            "at the end."
        ),
    ),
    Parameter(
        "momentum",
        "number",
        "optimizer",
        _l("How much of the previous update direction is kept: momentum for SGD, beta1 for the Adam family."),
        0,
        0.999,
    ),
    Parameter(
        "weight_decay",
        "number",
        "optimizer",
        _l("Weight decay (L2): pulls the weights toward zero. Helps against overfitting."),
        0,
        0.1,
    ),
    Parameter(
        "warmup_epochs",
        "number",
        "optimizer",
        _l("Number of warmup epochs, in which the learning rate rises to its value. Fractions are allowed."),
        0,
        100,
    ),
    Parameter("warmup_momentum", "number", "optimizer", _l("Momentum at the start of warmup."), 0, 0.999),
    Parameter(
        "warmup_bias_lr",
        "number",
        "optimizer",
        _l("Learning rate of the biases at the start of warmup. The default is 0 for the Adam family."),
        0,
        1,
    ),
    Parameter(
        "nbs",
        "integer",
        "optimizer",
        _l(
            "Nominal batch size: gradients of small batches are accumulated up to this number of images, so that a "
            "small batch trains like a large one."
        ),
        1,
        4096,
    ),
)

LOSS = (
    Parameter(
        "box",
        "number",
        "loss",
        _l("Weight of the box position in the loss. Increase it when objects are detected with inaccurate boxes."),
        0,
        100,
        tasks=LOCALIZED,
    ),
    Parameter(
        "cls",
        "number",
        "loss",
        _l("Weight of the classification in the loss. Increase it when objects are detected with the wrong class."),
        0,
        100,
        tasks=LOCALIZED,
    ),
    Parameter(
        "cls_pw",
        "number",
        "loss",
        _l("Gives rare classes more weight: 0 means none, 1 the full inverse of their frequency."),
        0,
        1,
        tasks=LOCALIZED,
    ),
    Parameter(
        "dfl",
        "number",
        "loss",
        _l("Weight of the box edges in the loss (distribution focal loss; L1 for YOLO26)."),
        0,
        100,
        tasks=LOCALIZED,
    ),
    Parameter("pose", "number", "loss", _l("Weight of the keypoint position in the loss."), 0, 100, tasks=("pose",)),
    Parameter("kobj", "number", "loss", _l("Weight of the keypoint visibility in the loss."), 0, 100, tasks=("pose",)),
    Parameter(
        "rle",
        "number",
        "loss",
        _l("Weight of the keypoint spread in the loss (residual log-likelihood, YOLO26)."),
        0,
        100,
        tasks=("pose",),
    ),
    Parameter("angle", "number", "loss", _l("Weight of the box angle in the loss."), 0, 100, tasks=("obb",)),
    Parameter(
        "overlap_mask",
        "boolean",
        "loss",
        _l(
            "Stores all masks of an image in one layer, smaller objects on top, to save memory. Turn it off when "
            "objects overlap a lot."
        ),
        tasks=("segment",),
    ),
    Parameter(
        "mask_ratio",
        "integer",
        "loss",
        _l(
            "Downsampling ratio of the masks in training: 4 means a quarter of the image width. 1 is exact and needs "
            "the most memory."
        ),
        1,
        16,
        tasks=("segment",),
    ),
)

MODEL = (
    Parameter(
        "freeze",
        "integer",
        "model",
        _l(
            "Number of first layers to freeze. With pretrained weights and few images, 10 keeps general image features "
            "and trains faster."
        ),
        0,
        FREEZABLE,
    ),
    Parameter(
        "dropout",
        "number",
        "model",
        _l("Dropout: fraction of the last layer's inputs dropped at random. Helps against overfitting."),
        0,
        0.9,
        tasks=("classify",),
    ),
    Parameter(
        "single_cls",
        "boolean",
        "model",
        _l("Treats all classes as a single one, for when only the position of objects matters."),
        tasks=LOCALIZED,
    ),
    Parameter(
        "cls_remap",
        "boolean",
        "model",
        _l("Keeps what the initial weights learned about a class with the same name."),
        tasks=LOCALIZED,
    ),
)

PARAMETERS = OPTIMIZER + LOSS + MODEL
