"""Reads the JSON files that a training's processes leave, which may be damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.services.storage.damaged import set_file_aside

Check = Callable[[dict[str, Any]], Any]


def document(path: Path, check: Check = lambda found: None) -> dict[str, Any] | None:
    """One of them; None where it is not there, or is damaged: then it is set aside.

    Args:
        check: raises a ValueError, TypeError, KeyError or AttributeError where the file is not what it should be.
    """
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("no object")
        check(found)
        json.dumps(found, ensure_ascii=False).encode()  # lone surrogates can be read, but not sent
        return found
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        set_file_aside(path, error)
        return None


def check_previews(found: dict[str, Any]) -> None:
    """previews/index.json."""
    texts(found["names"])
    str.encode(found["task"])
    for image in found["images"]:
        str.encode(image["file"])
        numbers(image["width"], image["height"])
        shapes(image["truth"])


def check_preview(found: dict[str, Any]) -> None:
    """previews/epoch-N.json."""
    numbers(found["epoch"])
    for image in found["images"]:
        shapes(image)


def check_evaluation(found: dict[str, Any]) -> None:
    """evaluation/evaluation.json."""
    texts(found["names"])
    numbers(found["images"], found["objects"])
    for row, column, count in found["matrix"]:
        numbers(row, column, count)
    for picture in found["pictures"]:
        numbers(picture["number"])


def shapes(found: Any) -> None:
    if not isinstance(found, list) or not all(isinstance(shape, dict) for shape in found):
        raise TypeError("no list of objects")


def texts(found: Any) -> None:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise TypeError("no list of texts")


def numbers(*found: Any) -> None:
    if not all(isinstance(number, int | float) and abs(number) < 2**53 for number in found):
        raise TypeError("no number")
