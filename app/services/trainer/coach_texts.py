"""Messages of the coach: for each code a sentence and a suggestion."""

from flask_babel import lazy_gettext as _l

from app.core.room_messages import MessagePayload
from app.core.text_data import TextData
from app.texts import _ln, fill

ADVICE = {
    "loader_bound": (
        _l("Data loading is the bottleneck: the device is idle for %(percent)s%% of each epoch."),
        _l("Set the parameter “cache” to ram or disk, or resize the images to the training image size beforehand."),
    ),
    "overfitting": (
        _l(
            "Overfitting since epoch %(since)s: training loss keeps falling, but validation loss has risen from "
            "%(best)s to %(now)s."
        ),
        _l(
            "Stop the run and use the best weights. Next time, use more images, more data augmentation or a smaller "
            "model."
        ),
    ),
    "plateau": (
        _ln(
            "Plateau: no improvement for %(epochs)s epoch.", "Plateau: no improvement for %(epochs)s epochs.", "epochs"
        ),
        _l("Stop the run and use the best weights, or try more varied images, a larger image size or a larger model."),
    ),
    "diverging": (
        _l("The run is diverging: the loss rose from %(best)s to %(now)s."),
        _l("Stop the run and start a new one with a learning rate well below %(learning_rate)s."),
    ),
    "diverging_nan": (
        _l("The run is diverging: the loss became NaN."),
        _l("Stop the run and start a new one with a learning rate well below %(learning_rate)s."),
    ),
    "class_never_predicted": (
        _ln(
            "Classes that are never detected, despite %(instances)s object in the validation set: %(names)s.",
            "Classes that are never detected, despite %(instances)s objects in the validation set: %(names)s.",
            "instances",
        ),
        _l("Check the labels of these classes in the training set, and add images with them."),
    ),
    "few_iterations": (
        _ln(
            "The run is planned with %(iterations)s iteration from scratch, which is too few: a model usually "
            "needs more than %(enough)s before it detects anything.",
            "The run is planned with %(iterations)s iterations from scratch, which is too few: a model usually "
            "needs more than %(enough)s before it detects anything.",
            "iterations",
        ),
        _l(
            "Add epochs when the run has ended, or start from pretrained weights. Whether the labels are right shows "
            "later."
        ),
    ),
    "labels": (
        _ln(
            "The training loss no longer falls after %(iterations)s iteration, and still almost nothing is "
            "detected: the labels probably don't match the images.",
            "The training loss no longer falls after %(iterations)s iterations, and still almost nothing is "
            "detected: the labels probably don't match the images.",
            "iterations",
        ),
        _l("Stop the run and look at the labels in the images of the dataset: does each box enclose its object?"),
    ),
    "learning_rate_high": (
        _l(
            "The learning rate %(learning_rate)s seems too high: results get worse in the first epochs, where they "
            "should improve fastest."
        ),
        _l("Start a new run with a learning rate of about %(lower)s, or leave the learning rate empty."),
    ),
}


def advice(code: str, data: TextData) -> MessagePayload:
    """`message` and `hint` in the reader's language; the code itself if it is unknown to this version."""
    key = "diverging_nan" if code == "diverging" and data.get("now") is None else code
    names = data.get("names")
    values = {**data, "names": ", ".join(map(str, names)) if isinstance(names, list) else ""}
    try:
        message, hint = (fill(text, values) for text in ADVICE.get(key, (code, "")))
    except (KeyError, TypeError, ValueError):
        message, hint = code, ""
    return {"message": message, "hint": hint}
