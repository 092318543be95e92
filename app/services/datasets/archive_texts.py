"""Messages and status codes for refused ZIPs and folders."""

import re
from collections.abc import Mapping
from pathlib import PurePath

from flask_babel import lazy_gettext as _l

from app.core.text_data import TextData
from app.errors import AppError, BadUpload, Unprocessable
from app.services.storage.space import no_space
from app.texts import fill

ARCHIVE = _l("This file is a %(kind)s archive, not a ZIP. Extract it and make a ZIP of the folder.")
DOCUMENT = _l("This file is %(kind)s, not a ZIP. Put the images and their labels into one folder and make a ZIP of it.")
PAGE = _l(
    "This file is a web page (HTML), not a ZIP: the link led to a page instead of the file. Open the link in a "
    "browser, download the file itself and upload that."
)
POINTER = _l(
    "This file is a Git LFS pointer, not a ZIP: the repository holds the file elsewhere. Run “git lfs pull” "
    "and upload the file that it fetches."
)
PART = _l(
    "This file is not a ZIP on its own: it is one part of a split ZIP. Put all its parts into one folder, join or "
    "extract them with the tool that split them (7-Zip, WinZip, “zip -s 0”), and upload one whole ZIP."
)
CUT = _l(
    "This file is not a ZIP as it is: it was cut short, or it is the first part of a split ZIP. Its list of files, "
    "which is at the end, is missing. Upload the whole ZIP again."
)
HEADLESS = _l(
    "This file is not a ZIP as it is: its beginning is missing. It is the last part of a split ZIP, or it was damaged "
    "on the way. Join all its parts to one whole ZIP and upload that."
)
EMPTY = _l("This file is not a ZIP: it is empty (0 bytes). Make the ZIP again and upload it.")
UNKNOWN = _l("This file is not a ZIP, or it was cut short. Make the ZIP again and upload it whole.")

DOCUMENTS = {
    "pdf": _l("a PDF document"),
    "jpeg": _l("a JPEG image"),
    "png": _l("a PNG image"),
    "gif": _l("a GIF image"),
    "bmp": _l("a BMP image"),
    "tiff": _l("a TIFF image"),
    "hdf5": _l("an HDF5 file"),
    "parquet": _l("a Parquet file"),
    "sqlite": _l("an SQLite database"),
    "program": _l("a program"),
    "office": _l("a Microsoft Office document"),
    "video": _l("a video"),
    "pickle": _l("a Python pickle"),
    "numpy": _l("a NumPy array"),
    "torrent": _l("a torrent file"),
    "rtf": _l("a text document (RTF)"),
    "webp": _l("a WebP image"),
    "json": _l("a JSON text"),
    "xml": _l("an XML text"),
    "text": _l("a text file"),
}

SUFFIXES = {
    ".rar": "RAR",
    ".7z": "7z (7-Zip)",
    ".tar": "tar",
    ".gz": "gzip",
    ".tgz": "gzip (tar.gz)",
    ".xz": "xz (tar.xz)",
    ".txz": "xz (tar.xz)",
    ".bz2": "bzip2 (tar.bz2)",
    ".tbz2": "bzip2 (tar.bz2)",
    ".zst": "Zstandard (tar.zst)",
    ".lz4": "LZ4",
    ".cab": "Windows cabinet (CAB)",
}
PARTS = re.compile(r"(?i)\.(z\d\d|zip\.\d{3}|part\d+(\.zip)?|\d{3})$")

BAD_UPLOADS = {
    "zip_empty": _l("The ZIP is empty."),
    "not_zip": UNKNOWN,
    "not_zip_archive": ARCHIVE,
    "not_zip_document": DOCUMENT,
    "not_zip_page": PAGE,
    "not_zip_pointer": POINTER,
    "not_zip_part": PART,
    "not_zip_cut": CUT,
    "not_zip_headless": HEADLESS,
    "not_zip_empty": EMPTY,
}
TEXTS = BAD_UPLOADS | {
    "zip_entries": _l("The ZIP has more files than the limit of %(limit)s (MAX_ZIP_ENTRIES)."),
    "zip_expanded": _l("Extracted, the ZIP would exceed %(limit_size)s (MAX_EXPANDED_SIZE)."),
    "zip_overlapping": _l("The ZIP has overlapping files (%(name)s). Create it again with another tool."),
    "zip_of_archives": _l(
        "The ZIP holds no images, only other archives (%(names)s). Extract them, and make one ZIP of the folder."
    ),
    "zip_of_archives_inside": _l(
        "The ZIP inside the ZIP holds no images, only other archives (%(names)s). Extract them, "
        "and make one ZIP of the folder."
    ),
    "folder_entries": _l("The folder has more files than the limit of %(limit)s (MAX_ZIP_ENTRIES)."),
    "path_unsafe": _l("The ZIP has an unsafe path: %(name)s. Create it again from a regular folder."),
    "path_deep": _l("%(name)s is in a folder nested too deeply (limit: %(limit)s)."),
    "link_outside": _l("%(name)s is a link to a folder, to a path outside the folder, or to nothing."),
    "members_differ": _l(
        "The ZIP holds %(name)s twice, with different contents. Keep one of the two and make the ZIP again."
    ),
    "members_collide": _l("%(first)s and %(second)s have the same path. Rename one of them and upload again."),
    "member_damaged": _l("%(name)s is damaged: its size or checksum doesn't match the ZIP. Create the ZIP again."),
    "member_link": _l("%(name)s is a link or a device, not a file. Remove it from the ZIP."),
    "member_encrypted": _l("%(name)s is encrypted. Create the ZIP without a password."),
    "member_method": _l("%(name)s is packed with method %(method)s. Make the ZIP with the usual one (deflate)."),
    "member_bomb": _l("%(name)s expands to more than %(ratio)s times its compressed size, which isn't accepted."),
    "label_huge": _l("%(name)s is too large for a label file (limit: %(limit_size)s)."),
    "annotation_huge": _l("%(name)s is too large for an annotation file (limit: %(limit_size)s)."),
}


def refusal(code: str, data: TextData) -> AppError | None:
    """The error for a refused archive or folder; None if the code is another one or its data is incomplete: a damaged
    row must not break a list.
    """
    try:
        return archive_refusal(code, data)
    except (KeyError, TypeError, ValueError):
        return None


def archive_refusal(code: str, data: TextData) -> AppError | None:
    """The error for a refused ZIP; None: the code is not one of a ZIP.

    Raises:
        KeyError: a value of the text is missing.
        TypeError: one does not fit.
        ValueError: the same.
    """
    if code == "no_space":
        return no_space(*(number(data[name]) for name in ("free", "needed", "kept")))
    if code == "zip_inside":
        why, why_data = data["why"], data["why_data"]
        if not isinstance(why, str) or not isinstance(why_data, Mapping):
            raise TypeError("no reason")
        return Unprocessable(f"{data['name']}: {sentence(why, why_data)}")
    if code not in TEXTS:
        return None
    kind = BadUpload if code in BAD_UPLOADS else Unprocessable
    return kind(sentence(code, data))


def sentence(code: str, data: Mapping[str, object]) -> str:
    """A text with its placeholders filled."""
    values = {
        name: str(DOCUMENTS.get(value, value)) if name == "kind" and isinstance(value, str) else value
        for name, value in data.items()
    }
    return fill(TEXTS[code], values)


def number(value: object) -> int:
    """A number of bytes.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return int(value)


def by_name(filename: str) -> str | None:
    """The error for a file whose name shows that it is not a ZIP; otherwise None."""
    name = PurePath(filename).name
    if PARTS.search(name):
        return str(PART)
    kind = SUFFIXES.get(PurePath(name).suffix.lower())
    return str(ARCHIVE) % {"kind": kind} if kind else None
