"""The origin of a label: its bytes before the import, and the user's file and line."""

import hashlib

from app.worker.quality.model import Entry, Finding


def content(entry: Entry) -> bytes | None:
    """The label file's bytes; None if there is none."""
    if entry.text is not None:
        return entry.text.encode()
    return entry.label.read_bytes() if entry.label else None


def differ(first: Entry, second: Entry) -> bool:
    """Whether two images have different labels."""
    if first.class_name != second.class_name:
        return True
    return hashlib.sha256(content(first) or b"").digest() != hashlib.sha256(content(second) or b"").digest()


def with_origin(finding: Finding, entry: Entry, of_image: bool) -> Finding:
    """A finding of a label, with the user's file."""
    line = finding["line"]
    if of_image or finding["code"] == "label_missing":
        return finding | {"file": entry.file}
    file, line = origin(entry, line)
    return finding | {"file": file, "line": line}


def origin(entry: Entry, line: int | None) -> tuple[str, int | None]:
    """The user's file of a line of the label, and the line or object there."""
    if entry.origins and line is not None and line <= len(entry.origins):
        return entry.origins[line - 1]
    return entry.label_file, line
