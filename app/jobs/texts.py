"""Messages for failed jobs: the codes of app/worker/failures.py, of app/jobs and of CannotStart."""

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

ERRORS: dict[str, LazyString] = {
    "out_of_memory": _l("Out of memory. Close other programs on the server or use less data, then try again."),
    "memory_limit": _l(
        "Out of memory while the job was loading. Increase TRAINING_MEMORY_LIMIT, restart the server and try again."
    ),
    "memory_start": _l("Out of memory while the job was loading. Close other programs on the server, then try again."),
    "disk_full": _l("The disk is full. Free some space and try again."),
    "killed": _l("The process was killed externally. Try again."),
    "terminated": _l("The process was terminated externally several times. Try again."),
    "program_changed": _l(
        "Part of the server's program could not be loaded. Restart the server to complete its upgrade, then try again."
    ),
    "stalled": _l("The process stopped responding. Try again."),
    "device_taken": _l("A run started on the device. Try again when it has ended."),
    "slow": _l("The job took too long and was ended. Try again."),
    "interrupted": _l("The server was restarted before the job had finished. Try again."),
    "data": _l("The data of the job can't be used. See the server log for details."),
    "files_missing": _l("Files that the job needs are missing on the server. Restore them, then try again."),
    "weights": _l("The weights can't be used. Choose other weights."),
    "code": _l("The job failed with an error. See the server log for details."),
}


def error_text(code: str) -> str:
    """The reason, in the language of the context."""
    return str(ERRORS.get(code, ERRORS["code"]))
