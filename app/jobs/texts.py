"""Why a job failed, for people. The codes are those of app/worker/failures.py and app/jobs/recovery.py."""

from typing import Any

from flask_babel import lazy_gettext as _l

ERRORS: dict[str, Any] = {
    "out_of_memory": _l("Out of memory. Close other programs on the server or use less data, then try again."),
    "disk_full": _l("The disk is full. Free some space and try again."),
    "killed": _l("The process was killed externally. Try again."),
    "stalled": _l("The process stopped responding. Try again."),
    "slow": _l("The job took too long and was ended. Try again."),
    "interrupted": _l("The server was restarted before the job had finished. Try again."),
    "data": _l("The data can't be used for this."),
    "code": _l("The job failed with an error. See the server log for details."),
}


def error_text(code: str) -> str:
    """The reason, in the language of the context."""
    return str(ERRORS.get(code, ERRORS["code"]))
