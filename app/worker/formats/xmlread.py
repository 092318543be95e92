"""Untrusted XML: no entity is expanded, nothing is fetched, depth and size are limited."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.core.encodings import BOMS, TEXTS, decode, without_mark
from app.core.names import printable_name
from app.worker.formats.file_encoding import (
    DECLARATION,
    HEAD,
    Utf8File,
    declared_encoding,
    encoding_of,
    head_of,
    is_rather_utf8,
    is_utf8,
    sample,
)
from app.worker.formats.model import InvalidInput

MAX_DEPTH = 100
ANNOTATION = re.compile(r"<annotation[\s/>]")
BARE = re.compile(rb"&(?!#?\w{1,31};)")  # unescaped ampersands in concatenated XML


def parse(data: bytes, candidates: Sequence[str] = TEXTS) -> Any:
    """A document's root element.

    Args:
        candidates: possible encodings, if it is not UTF-8 and declares none.

    Raises:
        InvalidInput: it is not XML, uses entities, or is nested too deeply.
    """
    data = BARE.sub(b"&amp;", as_utf8(data, candidates)) if b"&" in data else as_utf8(data, candidates)
    top = None
    for depth, event, element in walked(io.BytesIO(data)):
        if event == "start" and depth == 1:
            top = element
    if top is None:
        raise InvalidInput("xml_unreadable", reason="no element")
    return top


def as_utf8(data: bytes, candidates: Sequence[str]) -> bytes:
    """A document in UTF-8, whatever its encoding."""
    encoding = declared_encoding(data[:HEAD])
    valid = is_utf8(io.BytesIO(data))
    if encoding is None and valid:
        return data
    if encoding and valid and is_rather_utf8(encoding, sample(io.BytesIO(data))):
        encoding = "utf-8"
    text = data.decode(encoding, "replace") if encoding else decode(data, candidates).text
    return DECLARATION.sub("", text, count=1).encode()


def events(path: Path, candidates: Sequence[str] = TEXTS) -> Iterator[tuple[int, str, Any]]:
    """(depth from 1, "start" or "end", element) of a file while it is parsed; the caller clears processed elements of
    large files.
    """
    declared = declared_encoding(head_of(path))
    encoding = encoding_of(path, candidates).name
    with open(path, "rb") as file:
        if declared and not (encoding.startswith("utf-8") and is_rather_utf8(declared, sample(file))):
            encoding = declared
        file.seek(0)
        yield from walked(file if encoding.startswith("utf-8") and not declared else Utf8File(file, encoding))


def walked(source: Any) -> Iterator[tuple[int, str, Any]]:
    depth = 0
    try:
        for event, element in iterparse(source, events=("start", "end"), forbid_dtd=False):
            depth += event == "start"
            if depth > MAX_DEPTH:
                raise InvalidInput("xml_unreadable", reason="nested too deeply")
            yield depth, event, element
            depth -= event == "end"
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise InvalidInput("xml_unreadable", reason=reason(error)) from error


def reason(error: Exception) -> str:
    return "entities are not accepted" if isinstance(error, DefusedXmlException) else printable_name(str(error))


def text_of(element: Any, path: str) -> str:
    """The text at a path below an element, stripped; "" if there is none."""
    return (element.findtext(path) or "").strip()


def sniff(path: Path) -> str | None:
    """The format of an XML file, by its first element: "voc", "cvat"; None for another one."""
    head = head_of(path)
    wide = next((name for mark, name in BOMS if head.startswith(mark)), None) or without_mark(head)
    text = head.decode(wide or "utf-8", "replace")
    if ANNOTATION.search(text):
        return "voc"  # of one image, or of several below an element of any name
    return "cvat" if "<annotations" in text else None
