"""Where a label came from: its bytes before the import, and the file and line that the user knows."""

import hashlib

from app.worker.quality.model import Entry, Finding


def content(entry: Entry) -> bytes | None:
    """The label file's bytes; None where there is none."""
    if entry.text is not None:
        return entry.text.encode()
    return entry.label.read_bytes() if entry.label else None


def differ(first: Entry, second: Entry) -> bool:
    """Whether two images have different labels."""
    if first.class_name != second.class_name:
        return True
    return hashlib.sha256(content(first) or b"").digest() != hashlib.sha256(content(second) or b"").digest()


def with_origin(finding: Finding, entry: Entry, of_image: bool) -> Finding:
    """A finding of a label with the file that the user knows it by."""
    line = finding["line"]
    if of_image or finding["code"] == "label_missing":
        return finding | {"file": entry.file}
    file, line = origin(entry, line)
    return finding | {"file": file, "line": line}


def origin(entry: Entry, line: int | None) -> tuple[str, int | None]:
    """Where a line of the label came from: the file that the user knows, and the line or object there."""
    if entry.origins and line is not None and line <= len(entry.origins):
        return entry.origins[line - 1]
    return entry.label_file, line
