"""Ambiguities in annotation files: questions about their numbers and texts, and the possible readings.

A reading's name is unique across all questions, so that one list can answer several. The import decides automatically;
users override it with the parameter `reading`. Texts: app/services/datasets/reading_texts.py.
"""

from collections.abc import Iterable

from app.core.encodings import TEXTS

QUESTIONS: dict[str, tuple[str, ...]] = {
    # the meaning of a box's four numbers
    "boxes": ("centre", "corners", "corners_xxyy", "corners_yxyx", "top_left"),
    # their unit
    "unit": ("fractions", "pixels", "percent", "thousandths", "fractions_and_pixels"),
    # the contents of a YOLO row after its class
    "columns": ("box", "polygon", "keypoints"),
    # the number of the first class
    "classes": ("zero_based", "one_based"),
    # the encoding of a list of class names that is not UTF-8
    "encoding": TEXTS,
    # the mapping of images to the frames of an annotated video
    "frames": ("frames_from_zero", "frames_from_one", "frames_in_order"),
    # the reference image of the boxes, if the image has an EXIF rotation or another declared size
    "size": ("stored_pixels", "shown_pixels", "declared_size"),
}
QUESTION_OF = {reading: question for question, readings in QUESTIONS.items() for reading in readings}


def answer(readings: Iterable[str] | None, question: str) -> str | None:
    """The chosen reading for a question; None: automatic."""
    return next((reading for reading in readings or () if QUESTION_OF.get(reading) == question), None)


def together(before: Iterable[str] | None, now: Iterable[str]) -> list[str]:
    """Earlier and newer choices combined; a newer one replaces that of the same question."""
    answers = {QUESTION_OF[reading]: reading for reading in [*(before or ()), *now]}
    return [answers[question] for question in QUESTIONS if question in answers]
