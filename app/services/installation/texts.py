"""Messages of the pages, the API and /ready for a database and a data folder that do not belong together."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.i18n import ngettext
from app.schemas.installation import InstallationOutValues
from app.services.installation.examine import Verdict

TITLES = {
    "new_database": _l("Read-only: this database is new, the data folder is not"),
    "older_database": _l("Read-only: this database is older than the data folder"),
    "other_database": _l("Read-only: this database belongs to another data folder"),
    "empty_folder": _l("Read-only: the data folder is empty"),
    "file_missing": _l("Read-only: the database file is gone"),
    "file_replaced": _l("Read-only: the database file was replaced"),
}

REASONS = {
    "new_database": _l("The data folder holds files that this database does not know. Nothing was changed."),
    "older_database": _l("The data folder holds files from after this database was saved. Nothing was changed."),
    "other_database": _l("The database and the data folder have different installation IDs. Nothing was changed."),
    "empty_folder": _l("The files of this database's datasets and runs are not there. Nothing was changed."),
    "file_missing": _l(
        "The database file was renamed or removed while the server runs. Put the file back; the server then continues."
    ),
    "file_replaced": _l(
        "Another file took the place of the database file while the server runs. Put the first file "
        "back, or restart the server to use the new one."
    ),
}


def title(verdict: Verdict) -> str:
    return str(TITLES[verdict.code])


def reason(verdict: Verdict) -> str:
    return str(REASONS[verdict.code])


def refusal(verdict: Verdict) -> str:
    """The message of a refused request."""
    return f"{title(verdict)}. {reason(verdict)}"


def state(verdict: Verdict | None) -> InstallationOutValues:
    """As schemas.InstallationOut."""
    if verdict is None:
        return {"read_only": False, "code": None, "title": None, "reason": None, "without_row": {}, "ways": []}
    return {
        "read_only": True,
        "code": verdict.code,
        "title": title(verdict),
        "reason": reason(verdict),
        "without_row": dict(verdict.unknown),
        "ways": ["right_database", "adopt", "start_anew"] if verdict.decidable else ["right_database"],
    }


def count_texts(verdict: Verdict) -> list[str]:
    """The folders without a row, as short texts: "3 datasets"."""
    number = dict(verdict.unknown)
    formatters: list[tuple[str, Any]] = [
        ("dataset", lambda count: ngettext("%(num)s dataset", "%(num)s datasets", count)),
        ("training", lambda count: ngettext("%(num)s training run", "%(num)s training runs", count)),
        ("test", lambda count: ngettext("%(num)s tested image", "%(num)s tested images", count)),
    ]
    return [text(number[kind]) for kind, text in formatters if number.get(kind)]


def busy() -> str:
    return str(_("Another decision about the data folder is being carried out."))


def nothing_to_decide() -> str:
    return str(_("The database and the data folder belong together: there is nothing to decide."))


def still_running(count: int) -> str:
    """A sentence about processes that still work in the folders."""
    return ngettext(
        "%(num)s training process still works in these folders. Wait until it has ended, or end it.",
        "%(num)s training processes still work in these folders. Wait until they have ended, or end them.",
        count,
    )
