"""Refuses invalid characters and numbers in any input: JSON bodies, forms, query strings and socket packets.

Python's JSON parser accepts lone surrogates, NaN, 1e400 (as infinity) and integers of any length. Files, databases and
other JSON parsers do not.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flask_babel import gettext as _

from app.errors import FieldError, Unprocessable

LOWEST, HIGHEST = -(2**63), 2**63 - 1  # range of the database's integers
DIGITS = 20  # of the longest such integer, with its sign
MOST = 20  # reported faults
Fault = tuple[str, str]


def loads(text: str | bytes, **options: Any) -> Any:
    """JSON from Python's own parser, in time and memory proportional to its length; `faults` checks the values.

    Raises:
        ValueError: not JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_int=integer, **options)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def integer(text: str) -> int:
    """An integer; one outside the database's range becomes a value outside it, without parsing thousands of digits."""
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
    """A key as part of a name in a message, which must be valid UTF-8."""
    return str(key)[:50].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def fault_of(item: Any) -> str | None:
    """The fault in a string or a number; None: valid."""
    if isinstance(item, str):
        return fault_of_text(item)
    if isinstance(item, float) and not abs(item) < float("inf"):
        return _("Must be a finite number.")
    if isinstance(item, int) and not LOWEST <= item <= HIGHEST:
        return _("The number is too large.")
    return None


def fault_of_text(text: Any) -> str | None:
    """The fault in a string: a lone surrogate cannot be encoded, and NUL ends a string in files and databases."""
    if isinstance(text, str) and ("\0" in text or not is_unicode(text)):
        return _("Has characters that can't be stored (NUL or half of a surrogate pair). Remove them.")
    return None


def is_unicode(text: str) -> bool:
    """Whether a string can be encoded: JSON may contain lone surrogates."""
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
        Unprocessable: it has such parts, which are named.
    """
    errors: list[FieldError] = [{"field": name, "message": message} for name, message in first(faults(value))]
    if errors:
        raise Unprocessable(_("Some fields are not valid. Correct them and send the request again."), errors)


def first(faults: Iterator[Fault]) -> list[Fault]:
    return [fault for fault, _number in zip(faults, range(MOST), strict=False)]


class Encoded(dict[str, object]):
    """An immutable object for many receivers, with its cached JSON."""

    def __init__(self, value: Mapping[str, object]) -> None:
        super().__init__(value)
        self.text = json.dumps(value, separators=(",", ":"))

    def with_first(self, key: str, value: Any) -> "Encoded":
        """The same with one more key, without encoding the rest again."""
        extended = Encoded({})
        extended.update({key: value, **self})
        rest = self.text[1:]
        extended.text = f"{json.dumps({key: value}, separators=(',', ':'))[:-1]}{'' if rest == '}' else ','}{rest}"
        return extended


class PacketJSON:
    """The JSON module of Socket.IO packets, for python-socketio's `json` option."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """A packet's JSON; `Encoded` objects are encoded once."""
        if isinstance(value, list) and value and isinstance(value[-1], Encoded):
            first = json.dumps(value[:-1], **options)[:-1]
            return f"{first}{',' if len(value) > 1 else ''}{value[-1].text}]"
        return json.dumps(value, **options)

    @staticmethod
    def loads(text: str | bytes, **options: Any) -> Any:
        """A packet's JSON.

        Raises:
            ValueError: not JSON, or with parts that cannot be stored.
        """
        value = loads(text, **options)
        if next(faults(value), None):
            raise ValueError("not a value that can be kept")
        return value
