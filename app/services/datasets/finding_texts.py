"""What each code of a finding says to the user: its title, the message for one case, what YOLO does with it, and what
the fix does where there is one. Codes come from app/worker/doctor and, of other formats, from app/worker/formats.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from app.services.datasets import format_texts
from app.services.datasets.converted_texts import CONVERTED
from app.services.datasets.image_texts import IMAGE_TEXTS
from app.services.datasets.label_texts import LABEL_TEXTS
from app.services.datasets.told import Told
from app.texts import Counted, _ln, fill

EFFECT = ("images", "rows", "files", "emptied")
ROWS_DONE = _ln(
    "%(title)s: %(rows)s row or file fixed or removed.", "%(title)s: %(rows)s rows or files fixed or removed.", "rows"
)
IMAGES_DONE = _ln(
    "%(title)s: %(images)s image fixed, moved or removed.",
    "%(title)s: %(images)s images fixed, moved or removed.",
    "images",
)
FILES_DONE = _l("Files removed: %(title)s.")

TEXTS: dict[str, Told] = IMAGE_TEXTS | LABEL_TEXTS

# Why an image is not used, by the code of the first reason; a part of the summary.
# What Ultralytics recommends for each class: docs.ultralytics.com, "Tips for best training results".
ADVISED = {"advised_images": 1500, "advised_objects": 10_000}

LEFT_OUT: dict[str, Any] = {code: told.title for code, told in TEXTS.items()} | {
    code: title for code, (title, _) in CONVERTED.items()
}


def told_of(code: str) -> Told:
    """The texts of a code; one that an older version wrote says itself."""
    if code in TEXTS:
        return TEXTS[code]
    title, effect = CONVERTED.get(code, (code, ""))
    return Told(title, format_texts.FINDINGS.get(code, code), effect)


def effects(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the fixes of a revision did, by code; `report` is the revision's."""
    shown = []
    for code, done in (report.get("effects") or {}).items():
        told = told_of(code)
        text = ROWS_DONE if done["rows"] else IMAGES_DONE if done["images"] else FILES_DONE
        done = {"emptied": 0} | done
        data = {"title": str(told.title), "rows": done["rows"], "images": done["images"], "files": len(done["files"])}
        shown.append(
            {"code": code, "title": data["title"], "message": fill(text, data)} | {key: done[key] for key in EFFECT}
        )
    return shown


def filled(text: Any, data: dict[str, Any]) -> str:
    """A text with its places filled; as it is where an older version gave other data."""
    try:
        return fill(text, ADVISED | data)
    except (KeyError, ValueError, TypeError):
        return text.many if isinstance(text, Counted) else str(text)
