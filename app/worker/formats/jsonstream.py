"""Reads JSON files of any size, element by element: only one megabyte and the current element are in memory."""

import codecs
import io
import json
from collections.abc import Collection, Iterator
from typing import IO, Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats.file_encoding import encoding_of
from app.worker.formats.model import InvalidInput
from app.worker.formats.paths import suffix_of
from app.worker.formats.tree import Tree

CHUNK = 1 << 20  # characters
MAX_ELEMENT = 32 * CHUNK  # characters: one annotation, or one value beside the lists
BLANK = " \t\r\n"


class BrokenJson(Exception):
    """The text is not valid JSON from here on."""


class JsonCursor:
    """A cursor in a JSON text.

    Args:
        file: binary, with or without a byte-order mark.
        encoding: of the file.
    """

    def __init__(self, file: IO[bytes], encoding: str = "utf-8") -> None:
        self.file = file
        strict = encoding in {"utf-8", "utf-8-sig"}
        codec = codecs.getincrementaldecoder("utf-8-sig" if strict else encoding)
        self.codec = codec("strict" if strict else "replace")
        self.text, self.at, self.ended = "", 0, False
        self.decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Read more of the file; False at its end."""
        if self.ended:
            return False
        raw = self.file.read(max(CHUNK, len(self.text) - self.at))  # doubling keeps the total linear
        self.ended = not raw
        self.text = self.text[self.at :] + self.codec.decode(raw, final=self.ended)
        self.at = 0
        return True

    def peek(self) -> str:
        """The next non-blank character; "" at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in BLANK:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise BrokenJson(f"{character!r} is missing")
        self.at += 1

    def value(self) -> Any:
        """The next complete value."""
        self.peek()
        while True:
            try:
                value, end = self.decode(self.text, self.at)
                if end < len(self.text) or self.ended:  # a number may continue beyond the buffer
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                if self.ended:
                    raise BrokenJson(error.msg) from error
            if len(self.text) - self.at > MAX_ELEMENT:
                raise BrokenJson("an element is too large")
            self.more()

    def elements(self) -> Iterator[Any]:
        """The elements of the list at the cursor."""
        self.expect("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            if self.peek() == "]":
                self.at += 1
                return
            self.expect(",")

    def members(self) -> Iterator[str]:
        """The keys of the object at the cursor; the caller reads each value before the next key."""
        self.expect("{")
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise BrokenJson("a key is not a text")
            self.expect(":")
            yield key
            if self.peek() == "}":
                self.at += 1
                return
            self.expect(",")


def walk(tree: Tree, name: str, lists: Collection[str] = (), maps: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
    """(key, element) for each element of the named lists of the file's object, (key, {its key: value}) for each member
    of the named objects, (key, value) for the other values.

    A file that is a list yields its elements with the key "".

    Raises:
        InvalidInput: it is not JSON, is nested too deeply, or has an element that is too large.
    """
    path = tree.path(name)
    try:
        with open(path, "rb") as file:
            reader = JsonCursor(file, encoding_of(path, tree.encodings).name)
            if reader.peek() == "[":
                yield from (("", element) for element in reader.elements())
                return
            for key in reader.members():
                mark = reader.peek()
                if key in lists and mark == "[":
                    yield from ((key, element) for element in reader.elements())
                elif key in maps and mark == "{":
                    yield from ((key, {inner: reader.value()}) for inner in reader.members())
                else:
                    yield key, reader.value()
    except (BrokenJson, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InvalidInput("annotation_unreadable", file=printable_name(name), reason=reason(error)) from error


def objects(tree: Tree, name: str) -> Iterator[JsonObject]:
    """The objects of JSON lines, or the elements of a JSON list; a single object yields itself. Other values become
    empty objects, so that they can be counted.

    Raises:
        InvalidInput: one cannot be read.
    """
    path = tree.path(name)
    encoding = encoding_of(path, tree.encodings).name
    try:
        with open(path, "rb") as file:
            if suffix_of(name) == ".json":
                reader = JsonCursor(file, encoding)
                values = reader.elements() if reader.peek() == "[" else iter([reader.value()])
            else:
                values = values_in(io.TextIOWrapper(file, encoding, errors="replace"))
            yield from (element if isinstance(element, dict) else {} for element in values)
    except (BrokenJson, ValueError, RecursionError) as error:
        raise InvalidInput("annotation_unreadable", file=printable_name(name), reason=reason(error)) from error


def values_in(text: IO[str]) -> Iterator[Any]:
    """The values of a text with one per line."""
    while line := text.readline(MAX_ELEMENT + 1):
        if len(line) > MAX_ELEMENT:
            raise BrokenJson("a line is too large")
        if line := line.strip("\ufeff" + BLANK):
            yield json.loads(line)


def reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else printable_name(str(error))
