"""Parameters of the optimizer, the loss and the model."""

from flask_babel import lazy_gettext as _l

from app.services.trainer.params.kinds import BOXES, OPTIMIZERS, Parameter

FREEZABLE = 42  # of yolov9e's 43 layers, the most that a model has: at least the last one learns

OPTIMIZER = (
    Parameter("optimizer", "choice", "optimizer", _l(
        "How the weights are corrected after each step. “auto” chooses by the length of the training, and sets the "
        "learning rate as well; a learning rate that you set is always used, with SGD from 0.005 on, else with AdamW."
    ), choices=OPTIMIZERS),
    Parameter("lrf", "number", "optimizer", _l(
        "How small the steps are at the end: the last learning rate as a part of the first one (0.01 means a "
        "hundredth)."
    ), 1e-6, 1),
    Parameter("cos_lr", "boolean", "optimizer", _l(
        "Lower the learning rate along a cosine instead of a straight line: longer large at the start, longer small at "
        "the end."
    )),
    Parameter("momentum", "number", "optimizer", _l(
        "How much of the last steps' direction goes into the next one: momentum of SGD, beta1 of the Adam family."
    ), 0, 0.999),
    Parameter("weight_decay", "number", "optimizer", _l(
        "Pulls the weights towards zero (L2), which helps against learning the training images by heart."
    ), 0, 0.1),
    Parameter("warmup_epochs", "number", "optimizer", _l(
        "Epochs at the start in which the learning rate rises to its value, so that the first steps destroy nothing. "
        "Fractions are allowed."
    ), 0, 100),
    Parameter("warmup_momentum", "number", "optimizer", _l("The momentum at the start of the warm-up."), 0, 0.999),
    Parameter("warmup_bias_lr", "number", "optimizer", _l(
        "The learning rate of the biases at the start of the warm-up. Without a wish, 0 for the Adam family."
    ), 0, 1),
    Parameter("nbs", "integer", "optimizer", _l(
        "Nominal batch size: gradients of several small batches are added up until about so many images were seen, "
        "so that a small batch learns like a large one."
    ), 1, 4096),
)  # fmt: skip

LOSS = (
    Parameter("box", "number", "loss", _l(
        "Weight of the boxes' places in the loss. Raise it when the objects are found but their boxes are inexact."
    ), 0, 100, tasks=BOXES),
    Parameter("cls", "number", "loss", _l(
        "Weight of the classes in the loss. Raise it when objects are found but called by the wrong name."
    ), 0, 100, tasks=BOXES),
    Parameter("cls_pw", "number", "loss", _l(
        "Makes rare classes count more: 0 not at all, 1 by the full inverse of their frequency."
    ), 0, 1, tasks=BOXES),
    Parameter("dfl", "number", "loss", _l(
        "Weight of the boxes' edges in the loss (distribution focal loss; L1 for YOLO26)."
    ), 0, 100, tasks=BOXES),
    Parameter("pose", "number", "loss", _l("Weight of the keypoints' places in the loss."), 0, 100, tasks=("pose",)),
    Parameter("kobj", "number", "loss", _l(
        "Weight of whether a keypoint is visible in the loss."
    ), 0, 100, tasks=("pose",)),
    Parameter("rle", "number", "loss", _l(
        "Weight of the keypoints' spread in the loss (residual log-likelihood, YOLO26)."
    ), 0, 100, tasks=("pose",)),
    Parameter("angle", "number", "loss", _l("Weight of the boxes' angle in the loss."), 0, 100, tasks=("obb",)),
    Parameter("overlap_mask", "boolean", "loss", _l(
        "Keep the masks of one image in one layer, where the smaller object lies on top: less memory. Switch it off "
        "when objects overlap a lot."
    ), tasks=("segment",)),
    Parameter("mask_ratio", "integer", "loss", _l(
        "How much coarser the masks are than the image while training: 4 means a quarter of its width. 1 is exact and "
        "needs the most memory."
    ), 1, 16, tasks=("segment",)),
)  # fmt: skip

MODEL = (
    Parameter("freeze", "integer", "model", _l(
        "So many of the first layers stay as they are. With official weights and few images, 10 keeps what the model "
        "knows of pictures in general, and trains faster."
    ), 0, FREEZABLE),
    Parameter("dropout", "number", "model", _l(
        "Leaves out this part of the last layer's inputs by chance, which helps against learning by heart."
    ), 0, 0.9, tasks=("classify",)),
    Parameter("single_cls", "boolean", "model", _l(
        "Treat all classes as one: only where objects are matters, not which."
    ), tasks=BOXES),
    Parameter("cls_remap", "boolean", "model", _l(
        "Where the start weights know a class by the same name, what they know of it is kept."
    ), tasks=BOXES),
)  # fmt: skip

PARAMETERS = OPTIMIZER + LOSS + MODEL
