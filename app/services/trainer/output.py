"""Reads worker.log of an attempt as text lines, without terminal colors and server paths.

An attempt's folder is models/{id}/attempts/{n} below the data folder.
"""

import re
from pathlib import Path

from app.core.paths import data_folder_of, redact_paths
from app.jobs.output import read_lines

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def without_controls(text: str) -> str:
    """Output without terminal colors; of an overwritten line, only the final text.

    Also without NULs, which a power loss may leave in a file: PostgreSQL refuses them.
    """
    lines = COLOURS.sub("", text.replace("\x00", "")).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def readable(data: bytes, directory: Path) -> str:
    """An attempt's output, redacted."""
    return redact_paths(without_controls(data.decode("utf-8", "replace")), data_folder_of(directory))


def read_log(directory: Path, offset: int, limit: int) -> tuple[str, int]:
    """Up to `limit` bytes of lines of `worker.log` from byte `offset` on: (text, offset after it)."""
    piece = read_lines(directory, offset, limit)
    return readable(piece.data, directory), piece.offset


def read_piece(directory: Path, start: int, offset: int) -> str:
    """The text of the bytes from `start` to `offset`; empty if they were deleted."""
    try:
        with open(directory / "worker.log", "rb") as file:
            file.seek(start)
            return readable(file.read(max(0, offset - start)), directory)
    except FileNotFoundError:
        return ""
