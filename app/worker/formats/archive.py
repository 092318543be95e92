"""Writes a ZIP as a stream, with reproducible bytes: images stored, texts compressed."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

EPOCH = (1980, 1, 1, 0, 0, 0)  # a constant timestamp, so that the bytes do not depend on the time
CHUNK = 1 << 20
LARGE = 1 << 30  # bytes of text from which an entry may need ZIP64


class Archive:
    """A ZIP on an open file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.zip = zipfile.ZipFile(file, "w")

    def image(self, name: str, path: Path) -> None:
        """Add a file uncompressed, since images do not shrink."""
        info = entry(name, zipfile.ZIP_STORED)
        info.file_size = path.stat().st_size
        with open(path, "rb") as source, self.zip.open(info, "w") as target:
            while chunk := source.read(CHUNK):
                target.write(chunk)

    def text(self, name: str, parts: Iterable[str], expected: int = 0) -> None:
        """Add a text in parts; `expected`: its approximate size in bytes."""
        with self.zip.open(entry(name, zipfile.ZIP_DEFLATED), "w", force_zip64=expected > LARGE) as target:
            waiting: list[str] = []
            length = 0
            for part in parts:
                waiting.append(part)
                length += len(part)
                if length > CHUNK:
                    target.write("".join(waiting).encode())
                    waiting, length = [], 0
            target.write("".join(waiting).encode())

    def content(self, name: str, data: bytes) -> None:
        """Add a small file, compressed."""
        self.zip.writestr(entry(name, zipfile.ZIP_DEFLATED), data)

    def close(self) -> None:
        self.zip.close()


def entry(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = method
    info.external_attr = 0o644 << 16
    info.create_system = 3
    return info
