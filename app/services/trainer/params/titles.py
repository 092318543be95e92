"""The groups that parameters are shown in."""

from flask_babel import lazy_gettext as _l

GROUPS = {
    "optimizer": _l("Optimizer and learning rate"),
    "loss": _l("Weights of the loss"),
    "model": _l("Model"),
    "run": _l("Run"),
    "data": _l("Images"),
    "color": _l("Augmentation: colour"),
    "geometry": _l("Augmentation: geometry"),
    "mixing": _l("Augmentation: mixing images"),
}
