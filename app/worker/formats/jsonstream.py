"""JSON files of any size, an element at a time: what is in memory is one megabyte and the element at hand."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from app.worker.formats.model import Refused
from app.worker.formats.paths import shown

CHUNK = 1 << 20  # characters
MAX_ELEMENT = 32 * CHUNK  # characters: one annotation, or one value beside the lists
BLANK = " \t\r\n"


class Broken(Exception):
    """The text is no JSON from here on."""


class Reader:
    """A cursor in a JSON text.

    Args:
        file: binary, UTF-8 with or without a byte-order mark.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.codec = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.ended = "", 0, False
        self.decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Read on; False at the file's end."""
        if self.ended:
            return False
        raw = self.file.read(max(CHUNK, len(self.text) - self.at))  # twice as much each time: linear in the whole
        self.ended = not raw
        self.text = self.text[self.at :] + self.codec.decode(raw, final=self.ended)
        self.at = 0
        return True

    def peek(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in BLANK:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise Broken(f"{wanted!r} is missing")
        self.at += 1

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                made, end = self.decode(self.text, self.at)
                if end < len(self.text) or self.ended:  # a number may go on behind the text at hand
                    self.at = end
                    return made
            except json.JSONDecodeError as error:
                if self.ended:
                    raise Broken(error.msg) from error
            if len(self.text) - self.at > MAX_ELEMENT:
                raise Broken("an element is too large")
            self.more()

    def elements(self) -> Iterator[Any]:
        """The elements of the list that comes next."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            if self.peek() == "]":
                self.at += 1
                return
            self.take(",")

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; who asks for the next one has read the value."""
        self.take("{")
        if self.peek() == "}":
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise Broken("a key is not a text")
            self.take(":")
            yield key
            if self.peek() == "}":
                return
            self.take(",")


def walk(path: Path, name: str, lists: set[str]) -> Iterator[tuple[str, Any]]:
    """(key, element) for each element of the named lists of the file's object, (key, value) for its other values.

    A file that is a list gives its elements with the key "".

    Raises:
        Refused: it is no JSON, is nested too deeply, or has an element that is too large.
    """
    try:
        with open(path, "rb") as file:
            reader = Reader(file)
            if reader.peek() == "[":
                yield from (("", element) for element in reader.elements())
                return
            for key in reader.members():
                if key in lists and reader.peek() == "[":
                    yield from ((key, element) for element in reader.elements())
                else:
                    yield key, reader.value()
    except (Broken, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise Refused("annotation_unreadable", file=shown(name), reason=reason(error)) from error


def reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else shown(str(error))
