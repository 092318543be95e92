"""Configures logging as specified: logs/app.log, rotated, and the console."""

import logging
import re
from logging.handlers import RotatingFileHandler
from typing import Any

from flask import Flask

from app.config import settings

FORMAT = "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
OURS = "app-log"
SERVERS = ("gunicorn.error", "gunicorn.access")  # have their own handlers

# Characters that end a line, move a terminal's cursor, reverse the text direction or are no characters: controls (C0,
# DEL, C1), line and paragraph separators, directional marks, zero widths, lone surrogates.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def escaped(text: str) -> str:
    """The text on one line, with Python's escapes."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class LineFormatter(logging.Formatter):
    """Formats an entry on one line, whatever names and paths it contains. Tracebacks, and a child's output (`extra=
    {"output": ...}`), follow on indented lines, which no entry begins with.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = escaped(super().formatMessage(record))
        output = getattr(record, "output", "")
        return f"{line}\n{indented(output.rstrip())}" if output else line

    def formatException(self, ei: Any) -> str:
        return indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return indented(super().formatStack(stack_info))


def indented(text: str) -> str:
    return "\n".join(f"  {escaped(line)}" for line in text.split("\n"))


def init_app(app: Flask) -> None:
    """Attach the file and the console to the root logger; a second application in one process adds nothing."""
    root = logging.getLogger()
    root.setLevel(settings(app).LOG_LEVEL.upper())
    logging.getLogger("yolo").setLevel("DEBUG" if settings(app).FLASK_ENV == "development" else logging.NOTSET)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it lists its plugins at every start
    for handler in [item for item in root.handlers if item.name == OURS]:
        root.removeHandler(handler)
        handler.close()
    folder = settings(app).LOG_DIR
    folder.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(folder / "app.log", maxBytes=10_000_000, backupCount=5, encoding="utf-8", delay=True)
    for handler in (file, logging.StreamHandler()):
        handler.name = OURS
        handler.setFormatter(LineFormatter(FORMAT))
        root.addHandler(handler)
    for name in SERVERS:
        for existing in logging.getLogger(name).handlers:
            before = existing.formatter
            if before is not None and not isinstance(before, LineFormatter):
                existing.setFormatter(LineFormatter(before._fmt, before.datefmt))
