"""Logging as specified: logs/app.log, rotated, and the console."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from flask import Flask

FORMAT = "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
OURS = "app-log"


def init_app(app: Flask) -> None:
    """Send the root logger to the file and the console; a second application in one process adds nothing."""
    root = logging.getLogger()
    root.setLevel(app.config["LOG_LEVEL"].upper())
    logging.getLogger("yolo").setLevel("DEBUG" if app.config["FLASK_ENV"] == "development" else logging.NOTSET)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # lists its plugins at every start
    for handler in [item for item in root.handlers if item.name == OURS]:
        root.removeHandler(handler)
        handler.close()
    folder = Path(app.config["LOG_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(folder / "app.log", maxBytes=10_000_000, backupCount=5, encoding="utf-8", delay=True)
    for handler in (file, logging.StreamHandler()):
        handler.name = OURS
        handler.setFormatter(logging.Formatter(FORMAT))
        root.addHandler(handler)
