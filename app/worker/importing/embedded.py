"""Extracts images embedded in annotations: LabelMe includes each in its JSON file, and some uploads have the JSON
alone.
"""

import base64
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from app.core.imports import ArchiveLimits
from app.worker.failures import InvalidInput
from app.worker.importing.disk import check_space
from app.worker.importing.members import Member

MARK = b'"imageData"'
MOST = 64 * 1024**2  # bytes of a JSON file; a larger one is not a single image's annotation
KINDS = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"BM", ".bmp"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"))
RIFF, WEBP = b"RIFF", slice(8, 12)


def extract_images(source: Path, members: Iterable[Member], expanded: int, limits: ArchiveLimits) -> list[str]:
    """Write embedded images beside their JSON files, with the same stems; a JSON file whose image exists as a file is
    skipped.

    Args:
        expanded: bytes extracted so far; with the images, they must stay below the limit.

    Returns: the images, by path below the source.

    Raises:
        InvalidInput: in total they are too large.
    """
    members = list(members)
    stems = {PurePosixPath(member.parts[-1]).stem.casefold() for member in members if member.kind == "image"}
    images = []
    for member in members:
        path = source.joinpath(*member.parts)
        if not is_alone(member, stems) or not (content := image_in(path)):
            continue
        expanded += len(content)
        if expanded > limits.max_expanded:
            raise InvalidInput("zip_expanded", limit=limits.max_expanded)
        check_space(Path(), len(content), limits.min_free)
        target = path.with_suffix(suffix_of(content))
        target.write_bytes(content)
        images.append(target.relative_to(source).as_posix())
    return images


def is_alone(member: Member, stems: set[str]) -> bool:
    """Whether it is a JSON file without an image of its name."""
    name = PurePosixPath(member.parts[-1])
    return name.suffix.lower() == ".json" and name.stem.casefold() not in stems and member.entry.size <= MOST


def image_in(path: Path) -> bytes:
    """The image in a LabelMe file; empty if there is none of a known format."""
    raw = path.read_bytes()
    if MARK not in raw:
        return b""
    try:
        document = json.loads(raw)
        if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
            return b""
        text = document.get("imageData") or ""
        content = base64.b64decode(text.rpartition(",")[2])  # some tools write a data: URL
    except (ValueError, TypeError, AttributeError, RecursionError):
        return b""
    return content if suffix_of(content) else b""


def suffix_of(content: bytes) -> str:
    """The suffix for an image by its first bytes; "" for something else."""
    if content.startswith(RIFF) and content[WEBP] == b"WEBP":
        return ".webp"
    return next((suffix for mark, suffix in KINDS if content.startswith(mark)), "")
