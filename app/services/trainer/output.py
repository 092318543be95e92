"""What a training child printed: worker.log of an attempt, as plain text in whole lines that tell no folder of ours.

An attempt's folder is models/{id}/attempts/{n} below the data folder.
"""

import os
import re
from pathlib import Path

from app.services.trainer.paths import without_folders

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text: str) -> str:
    """Output without colours; a line that was drawn over itself only as it ended."""
    lines = COLOURS.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def readable(data: bytes, directory: Path) -> str:
    """Output of the attempt in this folder as a text for others."""
    return without_folders(plain(data.decode("utf-8", "replace")), directory.parents[3])


def read_log(directory: Path, offset: int, limit: int) -> tuple[str, int]:
    """Up to `limit` bytes of whole lines of `worker.log` from byte `offset` on: (plain text, offset behind it)."""
    try:
        with open(directory / "worker.log", "rb") as file:
            if offset >= os.fstat(file.fileno()).st_size:  # also where no file can be so long
                return "", offset
            file.seek(offset)
            data = file.read(limit)
    except FileNotFoundError:
        return "", offset
    whole = data.rfind(b"\n") + 1
    if not whole and len(data) == limit:  # one endless line
        whole = limit
    return readable(data[:whole], directory), offset + whole


def read_piece(directory: Path, start: int, offset: int) -> str:
    """Plain text of the bytes from `start` to `offset`; empty when they are gone."""
    try:
        with open(directory / "worker.log", "rb") as file:
            file.seek(start)
            return readable(file.read(max(0, offset - start)), directory)
    except FileNotFoundError:
        return ""
