"""The log: one line per entry, whatever names, paths and headers contain."""

import logging
import sys
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.logs import FORMAT, LineFormatter
from app.services.system.logs import parse_entries, tail

FORGED = "2026-01-02 03:04:05,678 [CRITICAL] yolo.auth: all is well"
ENDS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
CONTROLS = ["\x00", "\x1b[2K\x1b[1A", "\x08", "\x7f", "\x9b31m", "\u202e", "\u2066", "\ufeff", "\ud800", "\udcff"]


def format_message(message: str, *arguments: object, **options: object) -> str:
    record = logging.LogRecord("yolo.dataset", logging.INFO, "", 1, message, arguments, None)
    record.__dict__.update(options)
    return LineFormatter(FORMAT).format(record)


@pytest.mark.parametrize("odd", ENDS + CONTROLS, ids=repr)
def test_a_name_cannot_begin_an_entry(odd: str) -> None:
    text = format_message("dataset %d: %s", 1, f"Cars{odd}{FORGED}")
    assert len(text.splitlines()) == 1
    assert text.encode().decode() == text
    assert odd not in text
    (entry,) = parse_entries(text)
    assert (entry["level"], entry["logger"]) == ("INFO", "yolo.dataset")


def test_letters_of_every_language_stay() -> None:
    assert format_message("%s", "Ação 数据集 \U0001f600 é").endswith("Ação 数据集 \U0001f600 é")


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_tracebacks_and_output_of_children_cannot_begin_one(end: str) -> None:
    try:
        raise ValueError(f"x{end}{FORGED}")
    except ValueError:
        text = format_message("failed", exc_info=sys.exc_info(), output=f"y{end}{FORGED}\n")
    entries = parse_entries(text)
    assert [entry["logger"] for entry in entries] == ["yolo.dataset"]
    assert "Traceback (most recent call last):" in entries[0]["message"]
    assert all(line.startswith("  ") for line in text.splitlines()[1:])


def test_what_the_application_logs(client: object, app: APIFlask) -> None:
    """Through its own handlers, in the file and in the end of it on the System page."""
    logging.getLogger("yolo.dataset").warning("a name: %s", f"a\n{FORGED}\u2028{FORGED}")
    path = Path(app.config["LOG_DIR"]) / "app.log"
    entries = tail(path, "WARNING", "", 10)["entries"]
    assert [entry["level"] for entry in entries] == ["WARNING"]
    assert "a\\n2026" in entries[0]["message"]
    for handler in logging.getLogger().handlers:
        if handler.name == "app-log":
            assert isinstance(handler.formatter, LineFormatter)
