"""JSON files of a single image, and the readers' findings about a file."""

import json
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats.model import Finding, InvalidInput, finding
from app.worker.formats.tree import Tree

MAX_JSON = 64 * 1024**2  # bytes: the file may contain its image too
NAMED = 50  # missing images named in the findings of one file


class FileFindings:
    """The findings about one annotation file."""

    def __init__(self, file: str, findings: list[Finding]) -> None:
        self.file, self.findings = file, findings
        self.unknown: set[str] = set()  # missing images
        self.more = 0

    def object(self, code: str, line: int | None, image: str, severity: str = "warning", **data: Any) -> None:
        """Add a finding about an object of an image; `line`: its line in the file, or its number from 1."""
        self.findings.append(finding(severity, code, self.file, line, of=image, **data))

    def unnamed(self, line: int | None, image: str) -> None:
        self.object("object_unnamed", line, image, name="")

    def unread(self, kind: Any, name: str, line: int | None, image: str) -> None:
        """Add a finding about a shape that YOLO does not support."""
        self.object("shape_unsupported", line, image, shape=printable_name(str(kind)), name=printable_name(name))

    def missing(self, name: str, line: int | None = None) -> None:
        """Add a finding about a missing image; once per image, and named only for the first ones."""
        if name in self.unknown:
            return
        if len(self.unknown) >= NAMED:
            self.more += 1
            return
        self.unknown.add(name)
        self.findings.append(finding("warning", "image_missing", self.file, line, image=printable_name(name)))

    def close(self) -> None:
        """Add the number of further missing images."""
        if self.more:
            self.findings.append(finding("warning", "images_missing", self.file, None, count=self.more))


def load_document(tree: Tree, path: str, findings: list[Finding]) -> JsonObject | None:
    """The object of a single image's JSON file; None with a finding if it cannot be used."""
    try:
        document = json.loads(tree.text(path, MAX_JSON))
        if not isinstance(document, dict):
            raise ValueError("no object")
    except InvalidInput as error:
        findings.append(finding("error", error.code, path, **error.data))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else printable_name(str(error))
        findings.append(finding("error", "annotation_unreadable", path, file=printable_name(path), reason=reason))
    else:
        return document
    return None


def dicts(values: Any) -> list[JsonObject]:
    """The objects of a JSON list; empty for other values."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def text(value: Any) -> str:
    """A string of a JSON file; "" for other values."""
    return value.strip() if isinstance(value, str) else ""
