"""Messages of a verdict, in the reader's language."""

from decimal import ROUND_HALF_UP, Decimal

from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.i18n import ngettext
from app.services.trainer.verdict.parts import (
    Cause,
    Certainty,
    Confusion,
    NextStep,
    Verdict,
    VerdictMetric,
    VerdictView,
    WeakestClass,
)

SMALL = 0.005  # a smaller margin would be displayed as ±0.00
METRICS = {"map50": "mAP50", "top1": _l("Top-1 accuracy"), "ap50": "AP50", "recall": _l("recall")}

TITLES = {
    "good": _l("Good model"),
    "fair": _l("Fair model"),
    "low": _l("Weak model"),
    "no_weights": _l("No model"),
    "not_measured": _l("Model without metrics"),
    "uploaded": _l("Model without metrics"),
    "detect_nothing": _l("The model detects nothing"),
    "classify_nothing": _l("The model is no better than guessing"),
}

USES = {
    "detect_good": _l("The model detects and locates objects reliably in images like the validation images."),
    "detect_rough": _l(
        "The model detects objects reliably in images like the validation images, but their locations are only "
        "approximate (mAP50-95)."
    ),
    "detect_fair": _l("Use the detections as suggestions that a person checks, not for automatic decisions."),
    "detect_low": _l("Not ready for use: the model misses or confuses many objects."),
    "detect_nothing": _l("Not usable: the model detects almost none of the objects in the validation images."),
    "classify_good": _l("The model classifies images like the validation images reliably."),
    "classify_fair": _l("Use the classes as suggestions that a person checks, not for automatic decisions."),
    "classify_low": _l("Not ready for use: many images get the wrong class."),
    "classify_nothing": _l("Not usable: the model finds the right class no more often than chance."),
    "no_weights": _l("The run ended before its first epoch was done: there are no weights."),
    "not_measured": _l("The run has weights, but no validation of them was recorded."),
    "uploaded": _l("The model was trained elsewhere and hasn't been evaluated as part of a run here."),
}

STEPS = {
    "see_issues": _l("Open the issues of the dataset and correct the errors."),
    "smaller": _l("Clone the run with a smaller batch size, image size or model."),
    "raise_memory_limit": _l("Increase TRAINING_MEMORY_LIMIT, restart the server, then retry the run."),
    "free_memory": _l("Close other programs on the server, then retry the run."),
    "free_disk": _l("Free disk space, then retry the run."),
    "other_weights": _l("Clone the run with other initial weights, or from scratch."),
    "restore_files": _l("Restore the dataset's files on the server, then retry the run."),
    "resume": _l("Resume the run from its last checkpoint."),
    "read_log": _l("Read the log to find the reason."),
    "retry": _l("Retry the run."),
    "again": _l("Clone the run and let it complete at least one epoch."),
    "evaluate": _l("Evaluate the model on the images of a dataset."),
    "pretrained": _l(
        "If pretrained weights are available, use them: "
        "they need far fewer epochs and images than training from scratch."
    ),
    "check_labels": _l("Look at the labels in the images of the dataset: does each box enclose its object?"),
    "check_folders": _l("Check the images of each class: are they in the right folder?"),
    "lower_rate": _l("Clone the run and leave the learning rate empty: it is then chosen automatically."),
    "try_it": _l("Test the model on images that it has never seen."),
    "overfitting": _l("The run was overfitting: add more varied images to the dataset."),
    "larger": _l("Clone the run with a larger model or a larger image size."),
    "use_weights": _l("Download the weights and use them in your application."),
    "annotate_class": _l("Annotate more objects of the class “%(name)s”."),
    "check_class": _l("Check the labels of the class “%(name)s”, and add images that show it."),
    "tell_apart": _l("Compare the labels of “%(first)s” and “%(second)s”: do they follow the same rule everywhere?"),
}


def with_messages(verdict: Verdict) -> VerdictView:
    """The verdict with `title`, and a `message` in each of its parts."""
    use, main, measured, reason = verdict["use"], verdict["metric"], verdict["certainty"], verdict["cause"]
    worst, error = verdict["weakest"], verdict["confusion"]
    return {
        **verdict,
        "title": str(TITLES[use if use in TITLES else verdict["level"] or ""]),
        "use": {"code": use, "message": str(USES[use])},
        "metric": main and {**main, "message": metric(main)},
        "weakest": worst and {**worst, "message": weakest(worst)},
        "confusion": error and {**error, "message": confusion(error)},
        "certainty": measured and {**measured, "message": certainty(measured, main["name"] if main else "")},
        "cause": reason and {**reason, "message": cause(reason)},
        "next": [{**item, "message": step(item)} for item in verdict["next"]],
    }


def metric(part: VerdictMetric) -> str:
    return _(
        "%(metric)s %(value)s in the best epoch (%(epoch)s).",
        metric=METRICS[part["name"]],
        value=three(part["value"]),
        epoch=part["epoch"],
    )


def weakest(part: WeakestClass) -> str:
    return ngettext(
        "Weakest class: “%(name)s” (%(metric)s %(value)s, %(num)s validation object).",
        "Weakest class: “%(name)s” (%(metric)s %(value)s, %(num)s validation objects).",
        part["objects"],
        name=part["name"],
        metric=METRICS[part["metric"]],
        value=three(part["value"]),
    )


def confusion(part: Confusion) -> str:
    values = {"count": format_decimal(part.get("count", 0)), "predicted": part.get("predicted")}
    values |= {"actual": part.get("actual"), "total": format_decimal(part.get("of", 0))}
    match part["kind"]:
        case "confused":
            return ngettext(
                "Most frequent error: %(count)s of %(total)s object of the class “%(actual)s” is predicted as "
                "“%(predicted)s”.",
                "Most frequent error: %(count)s of %(total)s objects of the class “%(actual)s” are predicted as "
                "“%(predicted)s”.",
                part["of"],
                **values,
            )
        case "missed":
            return ngettext(
                "Most frequent error: %(count)s of %(total)s object of the class “%(actual)s” is missed (false "
                "negative).",
                "Most frequent error: %(count)s of %(total)s objects of the class “%(actual)s” are missed (false "
                "negatives).",
                part["of"],
                **values,
            )
        case "false_positive":
            return ngettext(
                "Most frequent error: %(count)s of %(total)s prediction of the class “%(predicted)s” is a false "
                "positive.",
                "Most frequent error: %(count)s of %(total)s predictions of the class “%(predicted)s” are false "
                "positives.",
                part["of"],
                **values,
            )
    return _("The evaluation has no errors at the recommended confidence threshold.")


def certainty(part: Certainty, metric_name: str) -> str:
    """The number of objects; for classification, of images. `metric_name`: of the main one."""
    name = str(METRICS[metric_name])
    if not part["objects"] or part["margin"] is None:
        return _("The number of validation objects was not recorded, so the uncertainty of the metrics is unknown.")
    if part["margin"] < SMALL:  # for example at an mAP of 0, for which the formula has no meaning
        return counted_on(part["objects"], metric_name)
    margin = three(part["margin"], "0.00")
    if metric_name == "top1":
        return ngettext(
            "Based on %(num)s image. %(metric)s may vary by ±%(margin)s.",
            "Based on %(num)s images. %(metric)s may vary by ±%(margin)s.",
            part["objects"],
            metric=name,
            margin=margin,
        )
    return ngettext(
        "Based on %(num)s object in the validation images. %(metric)s may vary by ±%(margin)s.",
        "Based on %(num)s objects in the validation images. %(metric)s may vary by ±%(margin)s.",
        part["objects"],
        metric=name,
        margin=margin,
    )


def counted_on(count: int, metric_name: str) -> str:
    if metric_name == "top1":
        return ngettext("Based on %(num)s image.", "Based on %(num)s images.", count)
    return ngettext(
        "Based on %(num)s object in the validation images.",
        "Based on %(num)s objects in the validation images.",
        count,
    )


def cause(part: Cause) -> str:
    """The sentence about the cause."""
    if part["code"] == "learning_rate":
        return _("The learning rate was too high: the loss never settled.")
    count = part["data"]["iterations"]
    total, values = format_decimal(count), {"enough": format_decimal(part["data"]["enough"])}
    if part["code"] == "labels_classify":
        return ngettext(
            "The training loss no longer falls after %(total)s iteration, and still the classes are not told apart: "
            "the images are probably not in the folder of their class.",
            "The training loss no longer falls after %(total)s iterations, and still the classes are not told apart: "
            "the images are probably not in the folder of their class.",
            count,
            total=total,
        )
    if part["code"] == "few_classify":
        return ngettext(
            "%(total)s iteration is too few: a classification usually needs about %(enough)s.",
            "%(total)s iterations are too few: a classification usually needs about %(enough)s.",
            count,
            total=total,
            **values,
        )
    if part["code"] == "labels":
        return ngettext(
            "The training loss no longer falls after %(total)s iteration, and still almost nothing is detected: the "
            "labels probably don't match the images.",
            "The training loss no longer falls after %(total)s iterations, and still almost nothing is detected: the "
            "labels probably don't match the images.",
            count,
            total=total,
        )
    if part["code"] == "still_falling":
        return ngettext(
            "The training loss still falls after %(total)s iteration: the run ended too early.",
            "The training loss still falls after %(total)s iterations: the run ended too early.",
            count,
            total=total,
        )
    if part["data"]["scratch"]:
        return ngettext(
            "%(total)s iteration from scratch is too few: a model usually needs more than %(enough)s before it "
            "detects anything.",
            "%(total)s iterations from scratch are too few: a model usually needs more than %(enough)s before it "
            "detects anything.",
            count,
            total=total,
            **values,
        )
    return ngettext(
        "%(total)s iteration is too few: even pretrained weights need at least %(enough)s.",
        "%(total)s iterations are too few: even pretrained weights need at least %(enough)s.",
        count,
        total=total,
        **values,
    )


def step(item: NextStep) -> str:
    """The sentence of a step."""
    data = item["data"]
    match item["code"]:
        case "add_epochs":
            return ngettext("Add %(num)s epoch to the run.", "Add %(num)s epochs to the run.", data["epochs"])
        case "resume_rest":
            return ngettext(
                "Resume the run for the remaining epoch.",
                "Resume the run for the remaining %(num)s epochs.",
                data["epochs"],
            )
        case "train_longer":
            return ngettext("Clone the run with %(num)s epoch.", "Clone the run with %(num)s epochs.", data["epochs"])
        case "more_validation":
            return ngettext(
                "Add validation images: with %(num)s object the metrics are not reliable.",
                "Add validation images: with %(num)s objects the metrics are not reliable.",
                data["objects"] or 0,
            )
    return str(STEPS[item["code"]]) % data


def three(value: float, form: str = "0.000") -> str:
    """Formatted as in the metric cards: halves are rounded up, as browsers do, not to even."""
    return format_decimal(Decimal(repr(value)).quantize(Decimal(form), ROUND_HALF_UP), format=form)
