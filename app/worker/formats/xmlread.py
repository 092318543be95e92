"""XML that people send: no entity is expanded, nothing is fetched, depth and size are bounded."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.worker.formats.model import Refused
from app.worker.formats.paths import shown

MAX_DEPTH = 100
HEAD = 4096  # bytes: where a file's first element begins


def parse(data: bytes) -> Any:
    """A document's top element.

    Raises:
        Refused: it is no XML, uses entities, or is nested too deeply.
    """
    top = None
    for depth, event, element in events(io.BytesIO(data), "XML"):
        if event == "start" and depth == 1:
            top = element
    if top is None:
        raise Refused("xml_unreadable", reason="no element")
    return top


def events(source: Any, name: str) -> Iterator[tuple[int, str, Any]]:
    """(depth from 1, "start" or "end", element) of a document as it is read; who reads much clears what is done."""
    depth = 0
    try:
        for event, element in iterparse(source, events=("start", "end"), forbid_dtd=False):
            depth += event == "start"
            if depth > MAX_DEPTH:
                raise Refused("xml_unreadable", reason="nested too deeply")
            yield depth, event, element
            depth -= event == "end"
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise Refused("xml_unreadable", reason=reason(error)) from error


def reason(error: Exception) -> str:
    return "entities are not accepted" if isinstance(error, DefusedXmlException) else shown(str(error))


def text_of(element: Any, path: str) -> str:
    """The text at a path below an element, stripped; "" where there is none."""
    return (element.findtext(path) or "").strip()


def sniff(path: Path) -> str | None:
    """What an XML file is, by its first element: "voc", "cvat"; None for another one."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    text = head.decode("utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
    for mark, kind in (("<annotations", "cvat"), ("<annotation", "voc")):
        if mark in text:
            return kind
    return None
