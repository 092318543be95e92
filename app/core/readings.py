"""How the numbers and texts of annotation files can be meant: questions, and the readings that answer them.

A reading has one name over all questions, so that a list of readings answers several at once. The import decides by
itself; a person chooses otherwise with the parameter `reading`. Texts: app/services/datasets/reading_texts.py.
"""

from collections.abc import Iterable

from app.core.encodings import TEXTS

QUESTIONS: dict[str, tuple[str, ...]] = {
    # what a box's four numbers are
    "boxes": ("centre", "corners", "corners_xxyy", "corners_yxyx", "top_left"),
    # what the numbers are counted in
    "unit": ("fractions", "pixels", "percent", "thousandths", "fractions_and_pixels"),
    # what a YOLO row holds behind its class
    "columns": ("box", "polygon", "keypoints"),
    # the number of the first class
    "classes": ("zero_based", "one_based"),
    # a list of class names that is not UTF-8
    "encoding": TEXTS,
    # which image is which frame of an annotated video
    "frames": ("frames_from_zero", "frames_from_one", "frames_in_order"),
    # which picture the boxes are in where it is turned by its EXIF mark, or its declared size is another one
    "size": ("stored_pixels", "shown_pixels", "declared_size"),
}
QUESTION_OF = {reading: question for question, readings in QUESTIONS.items() for reading in readings}


def answer(readings: Iterable[str] | None, question: str) -> str | None:
    """What was chosen for a question; None: nothing."""
    return next((reading for reading in readings or () if QUESTION_OF.get(reading) == question), None)


def together(before: Iterable[str] | None, now: Iterable[str]) -> list[str]:
    """Choices with newer ones, which replace those of the same question."""
    answers = {QUESTION_OF[reading]: reading for reading in [*(before or ()), *now]}
    return [answers[question] for question in QUESTIONS if question in answers]
