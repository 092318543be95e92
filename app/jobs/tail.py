"""Reads what a child appends to its event file and its output, each from the last recorded offset."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.core.clock import CLOCK
from app.events import Envelope
from app.jobs.output import LAST_PIECE, PIECE, OutputChunk, read_lines
from app.jobs.process import Child

logger = logging.getLogger("yolo.jobs")

OUTPUT_S = 0.5  # between two reads of the output without events


class Tail:
    """
    Args:
        directory: of the child.
        offset: bytes of the event file already read. output_offset: of the output.
    """

    def __init__(self, child: Child, job_id: int, directory: Path, offset: int = 0, output_offset: int = 0) -> None:
        self.child, self.job_id, self.directory = child, job_id, directory
        self.offset, self.output_offset = offset, output_offset
        self.damaged: set[int] = set()  # offsets of lines of the event file that are no events
        self._output_at = 0.0

    def events(self) -> list[tuple[int, Envelope]]:
        """(offset behind the event, event) of each new event, its time by the shared clock."""
        lines = self.child.events(self.offset, self.skip_line)
        return [(offset, replace(envelope, time=CLOCK.shared(envelope.time))) for offset, envelope in lines]

    def output(self, alive: bool, at_once: bool) -> OutputChunk | None:
        """The complete lines of the output that are new; unless `at_once`, at most twice a second."""
        if alive and not at_once and time.monotonic() - self._output_at < OUTPUT_S:
            return None
        piece = read_lines(self.directory, self.output_offset, PIECE if alive else LAST_PIECE)
        return piece if piece.offset > piece.start else None

    def advance(self, envelopes: Sequence[tuple[int, Envelope]], output: OutputChunk | None) -> None:
        """These are recorded: the next read begins after them."""
        if envelopes:
            self.offset = envelopes[-1][0]
        if output is not None:
            self.output_offset, self._output_at = output.offset, time.monotonic()

    def skip_line(self, offset: int) -> None:
        """Record that a line of the event file is not an event; the others count."""
        if offset not in self.damaged:
            logger.error("job %s: %s/events.jsonl is damaged at byte %s", self.job_id, self.directory, offset)
        self.damaged.add(offset)
