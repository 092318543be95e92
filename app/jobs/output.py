"""Reads a child's output, `worker.log`, in complete lines."""

import os
from dataclasses import dataclass
from pathlib import Path

PIECE = 32_768  # bytes
LAST_PIECE = 262_144  # bytes of the last read


@dataclass(frozen=True)
class OutputChunk:
    """Complete lines of an attempt's output: bytes `start` to `offset` of the file."""

    start: int
    offset: int
    data: bytes


def read_lines(directory: Path, start: int, limit: int) -> OutputChunk:
    """Up to `limit` bytes of complete lines from byte `start` on; empty where there are none yet."""
    try:
        with open(directory / "worker.log", "rb") as file:
            if start >= os.fstat(file.fileno()).st_size:  # also if the file has become shorter
                return OutputChunk(start, start, b"")
            file.seek(start)
            data = file.read(limit)
    except FileNotFoundError:
        return OutputChunk(start, start, b"")
    end = data.rfind(b"\n") + 1
    if not end and len(data) == limit:  # a line longer than the limit
        end = limit
    return OutputChunk(start, start + end, data[:end])
