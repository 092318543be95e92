"""What the coach says: for each code a plain sentence and what to try."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from app.i18n import written

ADVICE = {
    "loader_bound": (
        _l("The device waits for images during %(percent)s%% of each epoch."),
        _l("Set the parameter cache to ram or disk, or scale the images down to the training size beforehand."),
    ),
    "overfitting": (
        _l(
            "Since epoch %(since)s the model learns the training images by heart: their loss falls, while the "
            "validation loss has risen from %(best)s to %(now)s."
        ),
        _l("Stop and use the best weights. Next time: more images, more augmentation or a smaller model."),
    ),
    "plateau": (
        _l("The result has not improved for %(epochs)s epochs."),
        _l("Stop and use the best weights, or try more varied images, larger images or a larger model."),
    ),
    "diverging": (
        _l("The loss explodes: it was %(best)s already and is %(now)s now."),
        _l("Stop, and start again with a learning rate well below %(learning_rate)s."),
    ),
    "diverging_nan": (
        _l("The loss is no longer a number."),
        _l("Stop, and start again with a learning rate well below %(learning_rate)s."),
    ),
    "class_never_predicted": (
        _l("Classes that are never found, although the validation images show them %(instances)s times: %(names)s."),
        _l("Look at their labels in the training images, and add images that show them."),
    ),
    "few_iterations": (
        _l(
            "The run is planned with %(iterations)s iterations from scratch, which is too few: a model usually needs "
            "more than %(enough)s before it detects anything."
        ),
        _l("Add epochs when the run has ended, or start from pretrained weights. The labels are not the cause."),
    ),
    "labels": (
        _l(
            "After %(iterations)s iterations the training loss no longer falls, and still almost nothing is detected: "
            "the labels probably don't match the images."
        ),
        _l("Stop the run and look at the labels in the images of the dataset: does each box enclose its object?"),
    ),
    "learning_rate_high": (
        _l("The learning rate %(learning_rate)s seems too high: the model gets worse where it should learn fastest."),
        _l("Start again with about %(lower)s, or leave the learning rate to the automatic choice."),
    ),
}


def advice(code: str, data: Mapping[str, Any]) -> dict[str, str]:
    """{"message", "hint"} in the reader's language; the code itself where this version has no text for it."""
    key = "diverging_nan" if code == "diverging" and data.get("now") is None else code
    values = {**written(data), "names": ", ".join(map(str, data.get("names", [])))}
    try:
        message, hint = (str(text) % values for text in ADVICE.get(key, (code, "")))
    except (KeyError, TypeError):
        message, hint = code, ""
    return {"message": message, "hint": hint}
