"""Converts images in formats that training may not read (HEIC, AVIF) to JPEG: upright, 8 bit, without chroma
subsampling.
"""

import io
import os
import uuid
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile

from app.worker.orientation import orientation, upright
from app.worker.picture import eight_bit

FTYP = slice(4, 8)
KINDS = {"HEIF": "HEIC", "AVIF": "AVIF"}  # Pillow's name, and the common one
QUALITY = 95
STORED = {".jfif": ".jpg", ".jpe": ".jpg", ".jif": ".jpg"}  # suffixes of JPEGs that YOLO ignores


def open_heif(file: IO[bytes], name: str | bytes) -> ImageFile.ImageFile:
    """Import the HEIC decoder at the first such file, since most datasets have none. It rotates images itself.

    Raises:
        SyntaxError: it is not HEIC.
    """
    import pi_heif

    pi_heif.register_heif_opener()  # replaces this function
    opener, is_one = Image.OPEN["HEIF"]
    offset = file.tell()
    prefix = file.read(16)
    file.seek(offset)
    if is_one is None or not is_one(prefix):
        raise SyntaxError("not a HEIC file")
    return opener(file, name)


Image.register_open("HEIF", open_heif, lambda prefix: prefix[FTYP] == b"ftyp")  # type: ignore[arg-type]


def stored_name(name: str, converted: bool) -> str:
    """The name of an image in a version, with a suffix that YOLO supports."""
    stem, dot, suffix = name.rpartition(".")
    if converted and suffix.lower() not in {"jpg", "jpeg"}:
        return f"{stem}.jpg"
    return f"{stem}{STORED[f'.{suffix.lower()}']}" if dot and f".{suffix.lower()}" in STORED else name


def as_jpeg(source: IO[bytes], formats: list[str]) -> bytes:
    """The image as JPEG; transparent pixels become white.

    Raises:
        OSError: it cannot be decoded.
    """
    source.seek(0)
    with Image.open(source, formats=formats) as image:
        image.load()
        picture = eight_bit(upright(image, orientation(image)))
        profile = image.info.get("icc_profile")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (255, 255, 255, 255)), picture)
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=QUALITY, subsampling=0, icc_profile=profile)
    return file.getvalue()


def store_jpeg(folder: Path, content: bytes, sha256: str) -> Path:
    """Write the contents to a file atomically, synced."""
    folder.mkdir(exist_ok=True)
    path, draft = folder / f"{sha256}.jpg", folder / f".{uuid.uuid4().hex}"
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    return path
