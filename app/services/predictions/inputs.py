"""The input of a prediction: a video, a ZIP of images, or images."""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from app.core import suffixes
from app.core.files import sync_file
from app.core.names import printable_name, safe_name
from app.core.unread import ARCHIVES, suffix
from app.core.videos import HEAD, is_video
from app.errors import Unprocessable
from app.services.predictions import texts
from app.services.predictions.jobs import IMAGES, VIDEO
from app.services.storage.unpack import Pacer
from app.threads import run_blocking

BLOCK = 1024 * 1024
ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08", b"PK00PK")  # empty and truncated ones too: their job reports the fault
LONGEST_NAME = 255


@dataclass(frozen=True)
class InputFile:
    """A file of a form or an upload; `filename`: as sent by the client; `path`: on the data folder's disk, if it is
    there.
    """

    stream: IO[bytes]
    filename: str
    path: Path | None = None

    @property
    def name(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.filename.replace("\\", "/")).name

    @property
    def size(self) -> int:
        """Bytes."""
        return self.stream.seek(0, os.SEEK_END)

    def head(self) -> bytes:
        """Its first bytes; the stream is rewound."""
        self.stream.seek(0)
        head = self.stream.read(HEAD)
        self.stream.seek(0)
        return head

    @property
    def is_zip(self) -> bool:
        return self.head().startswith(ZIP)

    def blocks(self) -> Iterator[bytes]:
        """The content in blocks; yields to other requests."""
        self.stream.seek(0)
        pause = Pacer()
        while block := self.stream.read(BLOCK):
            yield block
            pause()

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class PredictionInput:
    """All files of a request.

    Args:
        many: sent as a list, so that a file which is neither a video nor a ZIP counts as an image.
    """

    files: Sequence[InputFile]
    many: bool

    @property
    def name(self) -> str:
        """For display: the name of the first file, and the number of others."""
        more = f" +{len(self.files) - 1}" if len(self.files) > 1 else ""
        return printable_name(self.files[0].name)[: LONGEST_NAME - len(more)] + more

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return sum(file.size for file in self.files)

    def source(self) -> str:
        """VIDEO or IMAGES.

        Raises:
            Unprocessable: the files are neither.
        """
        head = self.files[0].head()
        if len(self.files) == 1 and is_video(head):
            return VIDEO
        if self.many or head.startswith(ZIP):
            return IMAGES
        message = texts.not_usable()
        raise Unprocessable(message, [{"field": "file", "message": message}])

    def write_to(self, target: Path) -> int:
        """Write the video or the ZIP, or the images as a ZIP, to a synced file; its size in bytes."""
        (first, *rest) = self.files
        head = first.head()
        if rest or not (is_video(head) or head.startswith(ZIP)):
            self.pack(target)
        elif first.path is not None:
            os.link(first.path, target)
        else:
            with open(target, "xb") as file:
                file.writelines(first.blocks())
        run_blocking(sync_file, target)
        return target.stat().st_size

    def pack(self, target: Path) -> None:
        """Write a ZIP of the images, uncompressed since image formats already are."""
        names: set[str] = set()
        with zipfile.ZipFile(target, "x") as archive:
            for file in self.files:
                member = zipfile.ZipInfo(free_member_name(image_name(file.name), names))
                with archive.open(member, "w", force_zip64=True) as output:
                    for block in file.blocks():
                        output.write(block)


def image_name(name: str) -> str:
    """A safe name with the extension of an image; the reader detects the actual format."""
    name = name.lstrip(".") or "image"
    return safe_name(name if suffix(name) in suffixes.IMAGES | ARCHIVES else f"{name}.jpg")


def free_member_name(name: str, names: set[str]) -> str:
    """An unused member name, numbered if necessary; it is added to the names."""
    stem, dot, ending = name.rpartition(".")
    number, free = 1, name
    while free.casefold() in names:
        number += 1
        free = f"{stem}_{number}{dot}{ending}" if dot else f"{name}_{number}"
    names.add(free.casefold())
    return free
