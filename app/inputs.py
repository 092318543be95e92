"""Refuses characters and numbers that no input may hold: JSON bodies, forms, query strings and socket packets.

Python's JSON takes half of a surrogate pair, NaN, 1e400 (as infinity) and integers of any length. Files, databases and
other readers of JSON do not.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flask_babel import gettext as _

from app.errors import FieldError, Unprocessable

LOWEST, HIGHEST = -(2**63), 2**63 - 1  # an integer of the database
DIGITS = 20  # of the longest such integer, with its sign
MOST = 20  # faults that are named
Fault = tuple[str, str]


def loads(text: str | bytes, **options: Any) -> Any:
    """JSON as Python's own parser reads it, in time and memory that its length allows; `faults` judges the values.

    Raises:
        ValueError: no JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_int=integer, **options)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def integer(text: str) -> int:
    """An integer; one that no database holds stays one, without the time that thousands of digits take."""
    return int(text) if len(text) <= DIGITS else HIGHEST + 1


def faults(value: Any, name: str = "") -> Iterator[Fault]:
    """(dotted name, message) of each part of a JSON value that cannot be stored."""
    waiting = [(name, value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            waiting += ((below(path, key), part) for key, part in reversed(item.items()))
            yield from ((path or printable(key), message) for key in item if (message := fault_of_text(key)))
        elif isinstance(item, list | tuple):
            waiting += ((below(path, number), part) for number, part in reversed(list(enumerate(item))))
        elif message := fault_of(item):
            yield path, message


def below(path: str, key: Any) -> str:
    return f"{path}.{printable(key)}" if path else printable(key)


def printable(key: Any) -> str:
    """A key as part of a name in a message, which must be UTF-8."""
    return str(key)[:50].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def fault_of(item: Any) -> str | None:
    """What is wrong with a text or a number; None: nothing."""
    if isinstance(item, str):
        return fault_of_text(item)
    if isinstance(item, float) and not abs(item) < float("inf"):
        return _("Must be a finite number.")
    if isinstance(item, int) and not LOWEST <= item <= HIGHEST:
        return _("The number is too large.")
    return None


def fault_of_text(text: Any) -> str | None:
    """Half of a surrogate pair is no letter, and NUL ends a text in files and databases."""
    if isinstance(text, str) and ("\0" in text or not is_unicode(text)):
        return _("Has characters that can't be stored (NUL or half of a surrogate pair). Remove them.")
    return None


def is_unicode(text: str) -> bool:
    """Whether a text can be stored: JSON may hold half a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check(value: Any) -> None:
    """Refuse a JSON value with parts that cannot be stored.

    Raises:
        Unprocessable: names them.
    """
    errors: list[FieldError] = [{"field": name, "message": message} for name, message in first(faults(value))]
    if errors:
        raise Unprocessable(_("Some fields are not valid. Correct them and send the request again."), errors)


def first(faults: Iterator[Fault]) -> list[Fault]:
    return [fault for fault, _number in zip(faults, range(MOST), strict=False)]


class Encoded(dict[str, object]):
    """An object that many get, with its JSON. Nobody changes it."""

    def __init__(self, value: Mapping[str, object]) -> None:
        super().__init__(value)
        self.text = json.dumps(value, separators=(",", ":"))

    def with_first(self, key: str, value: Any) -> "Encoded":
        """The same with one more key, without encoding it all again."""
        extended = Encoded({})
        extended.update({key: value, **self})
        rest = self.text[1:]
        extended.text = f"{json.dumps({key: value}, separators=(',', ':'))[:-1]}{'' if rest == '}' else ','}{rest}"
        return extended


class PacketJSON:
    """The JSON of Socket.IO packets, for python-socketio's `json` option."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """A packet's JSON, where what many get is encoded once."""
        if isinstance(value, list) and value and isinstance(value[-1], Encoded):
            first = json.dumps(value[:-1], **options)[:-1]
            return f"{first}{',' if len(value) > 1 else ''}{value[-1].text}]"
        return json.dumps(value, **options)

    @staticmethod
    def loads(text: str | bytes, **options: Any) -> Any:
        """A packet's JSON.

        Raises:
            ValueError: no JSON, or one with parts that cannot be kept.
        """
        value = loads(text, **options)
        if next(faults(value), None):
            raise ValueError("not a value that can be kept")
        return value
