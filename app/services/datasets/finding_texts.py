"""The texts of each finding's code: title, message, what YOLO does with it, and what the fix does. Codes come from
app/worker/quality and, for other formats, from app/worker/formats.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from flask_babel import lazy_gettext as _l

from app.core.imports import DatasetReport, FixEffect
from app.core.text_data import TextData
from app.schemas.revisions import EffectOutValues
from app.services.datasets import format_texts
from app.services.datasets.converted_texts import CONVERTED
from app.services.datasets.image_texts import IMAGE_TEXTS
from app.services.datasets.label_texts import LABEL_TEXTS
from app.services.datasets.wording import FindingText
from app.texts import PluralText, _ln, fill


class RecordedEffect(TypedDict):
    """What a fix did, as `FixEffect`; nothing of what an older version did not record."""

    images: int
    rows: int
    files: list[str]
    emptied: int
    unsaved: int
    unsaved_files: list[str]


EFFECT = ("images", "rows", "files", "emptied", "unsaved", "unsaved_files")
ROWS_REPAIRED = _ln(
    "%(title)s: %(rows)s row or file fixed or removed.", "%(title)s: %(rows)s rows or files fixed or removed.", "rows"
)
IMAGES_REPAIRED = _ln(
    "%(title)s: %(images)s image fixed, moved or removed.",
    "%(title)s: %(images)s images fixed, moved or removed.",
    "images",
)
FILES_REMOVED = _l("Files removed: %(title)s.")
UNSAVED = _ln(
    "%(title)s: %(unsaved)s image stays as it is. Saving it again takes too much time or memory.",
    "%(title)s: %(unsaved)s images stay as they are. Saving them again takes too much time or memory.",
    "unsaved",
)

TEXTS: dict[str, FindingText] = IMAGE_TEXTS | LABEL_TEXTS

# Why an image is not used, by the code of the first reason; part of the summary. Ultralytics' recommendation per class:
# docs.ultralytics.com, "Tips for best training results".
ADVISED = {"advised_images": 1500, "advised_objects": 10_000}

EXCLUSION_TITLES: dict[str, object] = {code: text.title for code, text in TEXTS.items()} | {
    code: title for code, (title, _) in CONVERTED.items()
}


def text_of(code: str) -> FindingText:
    """The texts of a code; the code itself if it is unknown, as from an older version."""
    if code in TEXTS:
        return TEXTS[code]
    title, effect = CONVERTED.get(code, (code, ""))
    return FindingText(title, format_texts.FINDINGS.get(code, code), effect)


def effects(report: DatasetReport) -> list[EffectOutValues]:
    """The effects of a version's fixes, by code; `report` is the version's."""
    views: list[EffectOutValues] = []
    applied: Mapping[str, FixEffect] = report.get("effects") or {}
    for code, effect in applied.items():
        counts: RecordedEffect = {"emptied": 0, "unsaved": 0, "unsaved_files": [], **effect}
        title = str(text_of(code).title)
        message = " ".join(fill(text, {**counts, "title": title}) for text in texts_of(counts))
        views.append(
            {
                "code": code,
                "title": title,
                "message": message,
                "images": counts["images"],
                "rows": counts["rows"],
                "emptied": counts["emptied"],
                "files": counts["files"],
                "unsaved": counts["unsaved"],
                "unsaved_files": counts["unsaved_files"],
            }
        )
    return views


def texts_of(counts: RecordedEffect) -> list[Any]:
    """The texts of a fix's effect: what was repaired, and what could not be."""
    repairs = ((counts["rows"], ROWS_REPAIRED), (counts["images"], IMAGES_REPAIRED), (counts["files"], FILES_REMOVED))
    first = [text for repaired, text in repairs if repaired][:1]
    return first + [UNSAVED] * bool(counts["unsaved"])


def fill_text(text: Any, data: TextData) -> str:
    """A text with its placeholders filled; unchanged if the data does not match, as from an older version."""
    try:
        return fill(text, {**ADVISED, **data})
    except (KeyError, ValueError, TypeError):
        return text.many if isinstance(text, PluralText) else str(text)
