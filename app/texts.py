"""Texts selected by a code and filled later: plural forms, numbers and sizes in the reader's notation, reasons and
names of codes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal, get_translations
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.i18n import decimal

# Placeholders for integers that are not amounts: "1280 px", "version 1203", never "1.280".
UNGROUPED = {
    "better",
    "epoch",
    "from",
    "height",
    "id",
    "last",
    "line",
    "first",
    "number",
    "orientation",
    "picture",
    "pixels",
    "rounded",
    "seed",
    "side",
    "size",
    "to",
    "training_id",
    "value",
    "version",
    "width",
}
UNITS = ("B", "kB", "MB", "GB", "TB")

TASKS = {
    "detect": _l("Detection"),
    "segment": _l("Segmentation"),
    "pose": _l("Pose"),
    "obb": _l("Oriented bounding boxes"),
    "classify": _l("Classification"),
}
SETS = {"train": _l("training set"), "val": _l("validation set"), "test": _l("test set")}
STATES = {
    "pending": _l("Queued"),
    "running": _l("Running"),
    "paused": _l("Paused"),
    "completed": _l("Completed"),
    "failed": _l("Failed"),
    "cancelled": _l("Stopped"),
    "validating": _l("Checking"),
    "valid": _l("Ready"),
    "invalid": _l("Not usable"),
    "building": _l("In progress"),
    "ready": _l("Ready"),
}


@dataclass(frozen=True)
class PluralText:
    """A text with plural forms; `count` names the value that selects the form."""

    one: str
    many: str
    count: str = "count"


_ln = PluralText  # marks texts for the catalogue


def fill(text: Any, data: Mapping[str, object]) -> str:
    """A text, lazy or PluralText, with its placeholders filled.

    `%(limit_size)s` is the size of `limit` bytes, `%(limit_megapixels)s` the megapixels of `limit` pixels.

    Raises:
        KeyError: a value is missing.
        TypeError: a value has the wrong type.
        ValueError: a value is invalid.
    """
    values = Values(data)
    if isinstance(text, PluralText):
        count = data[text.count]
        if not isinstance(count, int | float | str):
            raise TypeError(f"{text.count} is no number")
        form = get_translations().ungettext(text.one, text.many, int(count))
        return str(form) % values
    return str(text) % values


class Values(dict[str, object]):
    """The placeholder values of a text, in the reader's notation."""

    def __init__(self, data: Mapping[str, object]) -> None:
        super().__init__({name: written(name, value) for name, value in data.items()})
        self.data = data

    def __missing__(self, name: str) -> str:
        stem, _, unit = name.rpartition("_")
        return DERIVED[unit](self.data[stem])


def written(name: str, value: Any) -> Any:
    """One value: amounts with separators, codes by their names, known reasons translated."""
    if name in NAMES and isinstance(value, str):
        return NAMES[name](value)
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and name not in UNGROUPED:
        return format_decimal(value)
    return value


def size(value: float) -> str:
    """Bytes in units of 1024, as the pages write them."""
    power = 0
    while value >= 1024 and power < len(UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{format_decimal(round(value, 0 if power < 2 or value >= 100 else 1))} {UNITS[power]}"


def megapixels(value: float) -> str:
    """Pixels in millions."""
    return format_decimal(round(value / 1e6, 1))


def labels(names: Mapping[str, object]) -> Callable[[str], str]:
    """Converts codes, separated by commas, to their names."""
    return lambda codes: ", ".join(str(names.get(code, code)) for code in codes.split(", "))


def task_names(*tasks: str) -> str:
    """The names of tasks, separated by commas."""
    return ", ".join(str(TASKS.get(task, task)) for task in tasks)


# Why a file was not used: messages of the worker, of Pillow and of the parsers.
REASONS = {
    "not an image": _l("it is not an image"),
    "image file is truncated": _l("the file is truncated"),
    "Truncated File Read": _l("the file is truncated"),
    "broken data stream when reading image file": _l("the image data is damaged"),
    "unrecognized data stream contents when reading image file": _l("the image data is damaged"),
    "not UTF-8": _l("it is not UTF-8 text"),
    "nested too deeply": _l("it is nested too deeply"),
    "no element": _l("it has no XML element"),
    "no element found": _l("it has no XML element"),
    "aliases are not accepted": _l("YAML aliases are not accepted"),
    "an element is too large": _l("one element is too large"),
    "a key is not a text": _l("it is not valid JSON"),
    "entities are not accepted": _l("XML entities are not accepted"),
    "downloads are switched off (WEIGHTS_URL)": _l("downloads are disabled (WEIGHTS_URL)"),
    "the download failed": _l("the download failed"),
    "nobody has published such weights": _l("no pretrained weights are published for this model"),
    "the file is damaged or no weights file": _l("the file is damaged or isn't a weights file"),
    "the file is missing": _l("the file is missing"),
    "the file holds no optimizer: a training cannot go on from it": _l(
        "the file has no optimizer state, so a run can't resume from it"
    ),
}
PATTERNS = (
    (
        r"the download is cut short: (?P<done>\d+) of (?P<all>\d+) bytes",
        _l("the download was incomplete (%(done_size)s of %(all_size)s)"),
    ),
    (r"the server sent more than any weights file has", _l("the downloaded file is too large for a weights file")),
    (r"the file is damaged at (?P<place>.+)", _l("the file is damaged at %(place)s")),
    (r"(?P<file>\S+) is missing", _l("%(file)s is missing")),
    (r"(?P<file>\S+) holds no model for the task (?P<task>\w+)", _l("%(file)s has no model for the task “%(task)s”")),
    (r"(?P<file>\S+) holds another model than (?P<model>\S+)", _l("%(file)s has a model other than %(model)s")),
    (r"(?:the file|(?P<file>\S+)) cannot be loaded: (?P<error>.+)", _l("the file can't be loaded: %(error)s")),
)
POSITION = re.compile(r"line (\d+),? column (\d+)")


def reason(text: str) -> str:
    """Why something cannot be read or used, in the reader's language; a library's own message is quoted."""
    translated = REASONS.get(text) or REASONS.get(re.split(r": | \(", text)[0])
    match = POSITION.search(text)
    if match:
        words = _("line %(line)s, column %(column)s", line=match[1], column=match[2])
        return f"{translated}, {words}" if translated else _("syntax error in %(place)s", place=words)
    return str(translated) if translated else by_pattern(text) or f"“{text}”"


def by_pattern(text: str) -> str | None:
    """A reason with file names or sizes."""
    for pattern, sentence in PATTERNS:
        if match := re.fullmatch(pattern, text):
            sizes = {
                name: int(value) if value and value.isdecimal() else value or ""
                for name, value in match.groupdict().items()
            }
            return fill(sentence, sizes)
    return None


NAMES: dict[str, Callable[[str], str]] = {
    "task": labels(TASKS),
    "tasks": labels(TASKS),
    "split": labels(SETS),
    "other_split": labels(SETS),
    "current": labels(STATES),
    "wanted": labels(STATES),
    "reason": reason,
}
DERIVED: dict[str, Callable[[Any], str]] = {"size": size, "megapixels": megapixels}
