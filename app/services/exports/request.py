"""Validates the options of an export, and computes the key that identifies equal requests."""

import hashlib
import json
from typing import cast

from flask_babel import gettext as _

from app.config import settings
from app.core.exports import ExportArguments
from app.core.image_size import rounded
from app.errors import Conflict, Unprocessable
from app.extensions import db
from app.jobs.workers import gpus_for_jobs
from app.models import Training
from app.schemas.exports import ModelExportInValues
from app.services.exports.formats import ExportFormat, formats
from app.services.exports.jobs import classes_of


def check_arguments(training: Training, values: ModelExportInValues) -> ExportArguments:
    """The options of a request with their defaults, without those that have no effect.

    Raises:
        Unprocessable: the format is not available here, or not with these options.
    """
    item = formats().get(values["format"])
    if item is None:
        refuse("format", _("Choose one of: %(formats)s.", formats=", ".join(formats())))
    elif reason := item.why_not(gpus_for_jobs(settings())):
        refuse("format", reason)
    else:
        check_options(item, training, values)
    options = {name: value for name, value in values.items() if name != "format" and value not in (None, False)}
    if options.get("batch") == 1:
        del options["batch"]
    return cast(ExportArguments, {"img_size": rounded(training.img_size)} | options)


def check_options(item: ExportFormat, training: Training, values: ModelExportInValues) -> None:
    """Check the options of a request against the format and each other.

    Raises:
        Unprocessable: the format lacks an option, or two options exclude each other.
    """
    for name, value in values.items():
        if name not in {"format", *item.arguments} and value not in (None, False):
            refuse(
                name,
                _("%(format)s doesn't have the option `%(option)s` on this server.", format=item.label, option=name),
            )
    if values.get("half") and values.get("int8"):
        refuse("int8", _("Choose FP16 or INT8, not both."))
    if values.get("int8") and (reason := item.why_no_int8()):
        refuse("int8", reason)
    if values.get("nms") and training.task == "classify":
        refuse("nms", _("A classification model has no boxes, so NMS can't be added. Remove the option `nms`."))
    if values.get("nms") and "rtdetr" in (training.architecture or ""):
        refuse("nms", _("RT-DETR models don't use NMS. Remove the option `nms`."))


def refuse_without_classes(training: Training) -> None:
    """Check that the dataset has objects of the model's classes.

    Raises:
        Conflict: it has none, so uploaded weights cannot be verified on it.
    """
    classes = classes_of(db.session, training)
    if classes is not None and not any(classes.values()):
        message = _(
            "The dataset “%(name)s” has none of the model's classes, so an export can't be verified. Upload the model "
            "again with another dataset.",
            name=training.dataset.name,
        )
        raise Conflict(message)


def refuse(field: str, message: str) -> None:
    raise Unprocessable(message, [{"field": field, "message": message}])


def key_of(sha256: str, form: str, arguments: ExportArguments) -> str:
    """The key of a request: equal for equal requests."""
    text = json.dumps([sha256, form, sorted(arguments.items())])
    return hashlib.sha256(text.encode()).hexdigest()
