"""Messages for when the inference child refuses, fails or dies."""

import logging

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.config import settings
from app.core.predict import WorkerAnswer
from app.errors import AppError, Conflict, DecodersBusy, TooLarge, Unavailable, Unprocessable

logger = logging.getLogger("yolo.inference")

UNREADABLE = {
    "too_costly": _l(
        "The image would take too long to decode: it has %(format)s. Save it as a plain JPEG or PNG and send it again."
    ),
    "stopped": _l(
        "Decoding the image took too much time or memory and was stopped. Save it as a plain JPEG or PNG and send it "
        "again."
    ),
    "not_image": _l("The file isn't a readable image. Send a JPEG, PNG, BMP, WebP, TIFF, AVIF or JPEG 2000."),
    "cut_short": _l("The %(format)s image is incomplete or damaged. Send the original file again."),
    "empty": _l("The file is empty. Send the original file again."),
    "other_format": _l("The file is in the format %(format)s. Save it as JPEG or PNG and send it again."),
}


def failure(answer: WorkerAnswer) -> Exception:
    """The exception for an error in the child's answer."""
    code, detail = answer["code"], answer["detail"]
    if code == "too_many_pixels":
        most = settings().MAX_IMAGE_PIXELS // 1_000_000
        return TooLarge(
            _(
                "The image has %(size)s px; the limit is %(most)s megapixels. Use a smaller image.",
                size=detail,
                most=most,
            )
        )
    if code == "os":
        return OSError(answer["errno"], detail)
    if code == "code":
        return RuntimeError(f"inference: {detail}")
    logger.info("inference refused (%s): %s", code, detail)
    if code in UNREADABLE:
        message = str(UNREADABLE[code]) % {"format": detail.partition(":")[0]}
        return Unprocessable(message, [{"field": "file", "message": message}])
    refusals: dict[str, AppError] = {
        "busy": DecodersBusy(
            _("Other images are taking long to decode. Try again in a minute, or save the image as JPEG or PNG.")
        ),
        "model": Conflict(
            _("The weights of this run can't be read. If the run is in progress, try again in a moment.")
        ),
        "out_of_memory": Unavailable(_("Not enough memory for this image. Try a smaller image or try again later.")),
    }
    return refusals[code]


def worker_died(code: str | None) -> Unavailable:
    """The error after the worker died twice on one image; `code`: of its failure."""
    if code in {"killed", "out_of_memory"}:
        return Unavailable(
            _("The test process was killed, possibly because it ran out of memory. Try again or restart the server.")
        )
    return Unavailable(_("The test process ended unexpectedly (see the server log). Try again."))
