"""Messages for failed predictions: the codes of app/worker/video/source.py, of app/worker/images and of ZIPs, then
those of any job."""

from flask_babel import gettext as _

from app.config import settings
from app.core.failure import JobFailure, Reason
from app.core.text_data import TextData
from app.jobs.texts import error_text
from app.schemas.prediction_runs import PredictionErrorOutValues
from app.services.datasets import archive_texts
from app.services.infer.answers import UNREADABLE
from app.services.predictions.jobs import LONGEST_H, VIDEO


def failure(error: JobFailure | None, source: str) -> PredictionErrorOutValues | None:
    """`code` and `message`, in the language of the request.

    Args:
        error: as a job's row has it.
        source: of the input: video or images.
    """
    if not error:
        return None
    reason = error.get("reason") or Reason(code=error["code"], data={})
    text = refusal(reason["code"], reason["data"], source) or error_text(error["code"])
    return {"code": reason["code"], "message": text}


def refusal(code: str, data: TextData, source: str) -> str | None:
    """Why the input can't be used."""
    if code == "no_images_read":
        why = unread_reason(str(data.get("why", "")), str(data.get("detail", "")))
        return _("None of the images can be read. %(name)s: %(why)s", name=data.get("name", "?"), why=why)
    texts = refusals() | (of_video() if source == VIDEO else of_images())
    if (text := texts.get(code)) is not None:
        return text
    archive = archive_texts.refusal(code, data)
    return str(archive) if archive else None


def unread_reason(code: str, detail: str) -> str:
    """Why one image can't be read."""
    if code == "too_many_pixels":
        most = settings().MAX_IMAGE_PIXELS // 1_000_000
        return _(
            "The image has %(size)s px; the limit is %(most)s megapixels. Use a smaller image.", size=detail, most=most
        )
    if code in UNREADABLE:
        return str(UNREADABLE[code]) % {"format": detail.partition(":")[0]}
    return _("The file is damaged: its size or checksum doesn't match the ZIP.")


def refusals() -> dict[str, str]:
    """What happened and what to do, by code, whatever was sent."""
    return {
        "files_missing": _("The files of this prediction are missing on the server. Upload them again."),
        "too_many_detections": _(
            "The lists of detections are too large. Increase the confidence threshold or analyze fewer images."
        ),
    }


def of_video() -> dict[str, str]:
    """As `refusals`, for a video."""
    most = settings().MAX_IMAGE_PIXELS // 1_000_000
    return {
        "not_video": not_video(),
        "too_long": _("The video has too many frames, or its header is damaged. Cut it and try again."),
        "no_frames": _("The video has no frames that can be decoded. Convert it with ffmpeg and try again."),
        "timeout": _("Decoding the video took too long. Use a shorter or smaller video."),
        "slow": _("The analysis reached its time limit (%(hours)s h). Use a shorter video.", hours=LONGEST_H),
        "out_of_memory": _("The analysis ran out of memory. Use a video with smaller frames."),
        "too_large": _("The frames of the video are too large: at most %(most)s megapixels.", most=most),
        "broken": _("The video is damaged and can't be decoded. Convert it with ffmpeg and try again."),
    }


def of_images() -> dict[str, str]:
    """As `refusals`, for images."""
    return {
        "no_images": _("The ZIP has no images. Use JPEG, PNG, BMP, WebP, TIFF, HEIC or AVIF."),
        "slow": _("The analysis reached its time limit (%(hours)s h). Analyze fewer images.", hours=LONGEST_H),
        "out_of_memory": _("The analysis ran out of memory. Use smaller images."),
    }


def not_video() -> str:
    return _("The file is not a video that can be decoded. Use MP4, MOV, AVI, MKV or WebM.")


def not_usable() -> str:
    """The refusal of a file that is neither a video nor a ZIP."""
    return _(
        "The file is neither a video that can be decoded nor a ZIP. Use MP4, MOV, AVI, MKV, WebM or a ZIP of images."
    )
