"""The groups of parameters, with their titles."""

from flask_babel import lazy_gettext as _l

GROUPS = {
    "optimizer": _l("Optimizer and learning rate"),
    "loss": _l("Loss weights"),
    "model": _l("Model"),
    "run": _l("Execution"),
    "data": _l("Images"),
    "color": _l("Data augmentation: color"),
    "geometry": _l("Data augmentation: geometry"),
    "mixing": _l("Data augmentation: image mixing"),
}
