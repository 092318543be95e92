"""Messages for failed exports: the codes of programs/export_model.py, then those of any job."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from app.core.exports import ExportDetails, Verification
from app.i18n import ngettext
from app.jobs.texts import error_text

ERRORS: dict[str, LazyString] = {
    "accuracy_lost": _l(
        "The exported model is less accurate than the .pt, so it isn't offered. Choose another format or precision."
    ),
    "unproven": _l(
        "The model detects almost nothing in the validation images, so the export can't be verified. Train it for "
        "longer."
    ),
    "not_loadable": _l("The exported file can't be loaded by its runtime, so it isn't offered. See the server log."),
    "not_exportable": _l("The model can't be converted to this format with these options. See the server log."),
    "weights": _l("The weights changed during the export. Try again."),
    "data": _l("The validation images of the run aren't available, so the export can't be verified."),
    "files_missing": _l("The files of this export are missing or damaged on the server. Export the model again."),
}

# Failures that would occur again with the same weights, options and packages.
FINAL = frozenset({"accuracy_lost", "unproven", "not_exportable"})


def failure(code: str) -> str:
    """The reason, in the language of the request."""
    return str(ERRORS[code]) if code in ERRORS else error_text(code)


def notes(details: ExportDetails, verification: Verification | None) -> list[str]:
    """Notes for the user of an export about its calibration and verification."""
    count, recommended = details.get("calibration_images"), details.get("calibration_recommended", 0)
    lines: list[str] = []
    if count is not None and count < recommended:
        text = ngettext(
            "INT8 was calibrated with %(num)s training image; at least %(wanted)s are recommended.",
            "INT8 was calibrated with %(num)s training images; at least %(wanted)s are recommended.",
            count,
            wanted=recommended,
        )
        lines.append(text)
    if details.get("accuracy_control_images"):
        lines.append(_("INT8 lost too much accuracy in some layers, so these stay in FP32."))
    if verification and verification.get("conclusive") is False:
        text = _(
            "The .pt detects almost nothing in the validation images, so the comparison proves little. Train the model "
            "for longer and export it again."
        )
        lines.append(text)
    return lines
