"""Explains a failed import to the request that waits, and in the dataset's row."""

import re

from flask_babel import gettext as _

from app.core.children import PROGRAM_CHANGED
from app.core.failure import JobFailure, Reason
from app.core.imports import NOT_ACCEPTED
from app.errors import AppError, Conflict, NoSpace, Unavailable, Unprocessable
from app.jobs import Job, JobStatus
from app.services.datasets import archive_texts
from app.services.datasets.texts import REASONS, message_of

LOST = {"killed", "stalled", "interrupted", PROGRAM_CHANGED}  # the process was lost, whatever the files are
# their texts need no further reason
SELF_EXPLANATORY = {"stalled", "disk_full", "interrupted", "out_of_memory", PROGRAM_CHANGED}
SIGNAL = re.compile(r"\bSIG[A-Z0-9]+\b")


def refusal(error: JobFailure | None, stopped: bool = False) -> AppError:
    """The response to a request whose import failed; `error` as in a job's row."""
    if stopped:
        return Conflict(_("The dataset check was stopped. Nothing was imported. Upload the dataset again."))
    failure: JobFailure = error or {"code": "code"}
    if verdict := failure.get("reason"):
        answer = archive_texts.refusal(verdict["code"], verdict["data"])
        return answer or Unprocessable(message_of(REASONS, verdict["code"], verdict["data"]))
    if failure["code"] == "disk_full":
        return NoSpace(message_of(REASONS, "disk_full", {}))
    if failure["code"] in LOST:
        return Unavailable(
            _(
                "The dataset couldn't be read: the reading process ended. Try again. If the "
                "error persists, see the server log."
            )
        )
    why = reason_of(failure)
    return Unprocessable(message_of(REASONS, why["code"], why["data"]))


def reason(job: Job) -> Reason:
    """The reason of a job without a result: a code of REASONS, and its data."""
    if job.status == JobStatus.CANCELLED:
        return {"code": "stopped", "data": {}}
    return reason_of(job.error or {"code": "code"})


def reason_of(failure: JobFailure) -> Reason:
    """The code and data of a failure's message."""
    code, message = failure["code"], failure.get("message", "")
    if "reason" in failure:
        return failure["reason"]
    if code in SELF_EXPLANATORY:
        return {"code": code, "data": {}}
    if code == "killed":
        signal = SIGNAL.search(message)
        return {"code": "died", "data": {"how": signal[0]}} if signal else {"code": "lost", "data": {}}
    if message == NOT_ACCEPTED:
        return {"code": "not_placed", "data": {}}
    return {"code": "failed", "data": {"error": message}}
