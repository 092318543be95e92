"""Reads the JSON files of a training's processes, which may be damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from app.core.final_evaluation import FinalEvaluation
from app.core.previews import PreviewEpoch, PreviewIndex
from app.services.storage.damaged import set_file_aside

Document = TypeVar("Document")


def document(path: Path, check: Callable[[Any], Document]) -> Document | None:
    """Read a document; None if it is missing or damaged: then it is set aside.

    Args:
        check: returns the typed document, or raises a ValueError, TypeError, KeyError or AttributeError if it is
            invalid.
    """
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("no object")
        checked = check(content)
        json.dumps(content, ensure_ascii=False).encode()  # lone surrogates can be parsed, but not sent
        return checked
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        set_file_aside(path, error)
        return None


def check_previews(index: PreviewIndex) -> PreviewIndex:
    """previews/index.json."""
    texts(index["names"])
    str.encode(index["task"])
    for image in index["images"]:
        str.encode(image["file"])
        numbers(image["width"], image["height"])
        shapes(image["truth"])
    return index


def check_preview(epoch: PreviewEpoch) -> PreviewEpoch:
    """previews/epoch-N.json."""
    numbers(epoch["epoch"])
    for image in epoch["images"]:
        shapes(image)
    return epoch


def check_evaluation(evaluation: FinalEvaluation) -> FinalEvaluation:
    """evaluation/evaluation.json."""
    texts(evaluation["names"])
    numbers(evaluation["images"], evaluation["objects"])
    for row, column, count in evaluation["matrix"]:
        numbers(row, column, count)
    for picture in evaluation["pictures"]:
        numbers(picture["number"])
    return evaluation


def shapes(values: Any) -> None:
    """Check that these are the shapes of an image.

    Raises:
        TypeError: they are not.
    """
    if not isinstance(values, list) or not all(isinstance(shape, dict) for shape in values):
        raise TypeError("no list of objects")


def texts(values: Any) -> None:
    """Check that this is a list of strings.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise TypeError("no list of texts")


def numbers(*values: Any) -> None:
    """Check that these are numbers that JavaScript can represent.

    Raises:
        TypeError: one is not.
    """
    if not all(isinstance(number, int | float) and abs(number) < 2**53 for number in values):
        raise TypeError("no number")
