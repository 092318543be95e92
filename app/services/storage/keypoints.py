"""What a data.yaml says about keypoints."""

from typing import Any

from flask_babel import gettext as _

from app.errors import Unprocessable
from app.services.storage.names import whole

MAX_KEYPOINTS = 1000


def keypoints_of(document: Any) -> dict[str, Any] | None:
    """`kpt_shape` and, where it is given, `flip_idx`; None where there are no keypoints.

    Raises:
        Unprocessable: one of them cannot be used.
    """
    shape = document.get("kpt_shape") if isinstance(document, dict) else None
    if shape is None:
        return None
    numbers = [whole(item) for item in shape] if isinstance(shape, list) else []
    if len(numbers) != 2 or not 1 <= numbers[0] <= MAX_KEYPOINTS or numbers[1] not in {2, 3}:
        raise Unprocessable(_("“kpt_shape” in data.yaml must be two numbers such as [17, 3]: how many keypoints, and 2 "
                              "or 3 numbers for each."))  # fmt: skip
    flipped = document.get("flip_idx")
    if flipped is None:
        return {"kpt_shape": numbers}
    order = [whole(item) for item in flipped] if isinstance(flipped, list) else []
    if sorted(order) != list(range(numbers[0])):
        raise Unprocessable(_("“flip_idx” in data.yaml must hold each number from 0 to %(last)s once.",
                              last=numbers[0] - 1))  # fmt: skip
    return {"kpt_shape": numbers, "flip_idx": order}
