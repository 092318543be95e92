"""Parses tus 1.0: headers, metadata and checksums. Pure: no files, no request. See https://tus.io/protocols/"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from app.errors import BadUpload, PreconditionFailed

VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "checksum", "termination", "expiration")
ALGORITHMS = ("sha1", "sha256", "md5")

# Headers that a script of another origin must be able to read.
HEADERS = (
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Expires",
)


class WrongVersion(PreconditionFailed):
    headers = {"Tus-Version": VERSION}  # noqa: RUF012 (the base class declares it)


@dataclass(frozen=True)
class Checksum:
    """The expected hash of a chunk."""

    algorithm: str
    digest: bytes

    def new(self) -> Any:
        """A new hash object."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def check_version(text: str | None) -> None:
    """Refuse clients of another protocol version.

    Raises:
        PreconditionFailed: Tus-Resumable is missing or another version.
    """
    if text != VERSION:
        raise WrongVersion(_("Send the header Tus-Resumable: %(version)s.", version=VERSION))


def parse_number(name: str, text: str | None) -> int:
    """A header's number of bytes.

    Raises:
        BadUpload: it is missing, or not a non-negative number.
    """
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise BadUpload(
            _("The header %(name)s must be a number of bytes.", name=name),
            [{"field": name, "message": _("Must be a whole number.")}],
        )
    return int(text)


def parse_metadata(text: str | None) -> dict[str, str]:
    """Upload-Metadata: pairs of a name and a base64 value, separated by commas; a value may be missing.

    Raises:
        BadUpload: it is malformed, or a value is not UTF-8.
    """
    metadata: dict[str, str] = {}
    for pair in (text or "").split(",") if (text or "").strip() else ():
        name, _space, value = pair.strip().partition(" ")
        try:
            if not name or name in metadata:
                raise ValueError(name)
            metadata[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (ValueError, binascii.Error):
            raise BadUpload(
                _("The header Upload-Metadata must have names with base64 values, each name once."),
                [{"field": "Upload-Metadata", "message": name[:100]}],
            ) from None
    return metadata


def parse_checksum(text: str | None) -> Checksum | None:
    """Upload-Checksum: an algorithm and the base64 digest of the chunk; None if it is missing.

    Raises:
        BadUpload: an unknown algorithm, or an invalid digest.
    """
    if text is None:
        return None
    algorithm, _space, value = text.strip().partition(" ")
    try:
        if algorithm not in ALGORITHMS:
            raise ValueError(algorithm)
        digest = base64.b64decode(value.strip(), validate=True)
        if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
            raise ValueError(value)
    except (ValueError, binascii.Error):
        raise BadUpload(
            _(
                "The header Upload-Checksum must name one of %(names)s and a base64 digest.",
                names=", ".join(ALGORITHMS),
            ),
            [{"field": "Upload-Checksum", "message": text[:100]}],
        ) from None
    return Checksum(algorithm, digest)
