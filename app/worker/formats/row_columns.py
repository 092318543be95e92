"""Determines the columns of YOLO rows: boxes, polygons or keypoints, perhaps followed by a prediction's confidence and
track id. Judged over an entire set.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.worker.formats import box_numbers

BOX = 5  # columns: class x y w h
NEARLY_ALL = 0.95
MARGIN = 0.05  # share of the box's sides by which keypoints may exceed it
MANY = 4  # rows from which agreement is not chance
PIXELS = 2.0  # a larger coordinate is not a fraction, however imprecise the drawing
MARKS = {0.0, 1.0, 2.0}  # visibility of keypoints

Row = Sequence[float]  # including the class


@dataclass(frozen=True)
class RowColumns:
    """The columns of rows.

    Attributes:
        kind: box, polygon or keypoints.
        extra: trailing columns that do not belong to a polygon; for boxes and keypoints, all that follow.
        keypoints: their number, and the numbers of each; 0 without.
        alternatives: other kinds that the rows may be.
        dropped: the trailing columns: "confidence", "track", "both", "angle" or "rest"; "": none.
        certain: the rows prove it: each keypoint has a visibility of 0, 1 or 2.
    """

    kind: str = "box"
    extra: int = 0
    keypoints: tuple[int, int] = (0, 0)
    alternatives: list[str] = field(default_factory=list)
    dropped: str = ""
    certain: bool = False


def infer_columns(rows: Sequence[Row], declared: tuple[int, int] | None, chosen: str | None = None) -> RowColumns:
    """Determine the columns of a set's rows.

    Args:
        declared: keypoints and their dimensions in data.yaml.
        chosen: box, polygon or keypoints, by a person.
    """
    lengths = Counter(map(len, rows))
    if not lengths:
        return RowColumns(keypoints=declared or (0, 0))
    if declared and chosen in {None, "keypoints"}:
        return pose_columns(rows, lengths, declared)
    if chosen == "box" or max(lengths) <= BOX + 1:
        return RowColumns(dropped=behind(rows, BOX), alternatives=possible_kinds(rows, lengths, "box"))
    if chosen == "keypoints" and (shape := keypoints_in(rows, lengths, strict=False)):
        return RowColumns("keypoints", keypoints=shape, alternatives=possible_kinds(rows, lengths, "keypoints"))
    if chosen is None and (columns := keypoint_columns(rows, lengths)):
        return columns
    extra, dropped = behind_outlines(rows, lengths)
    return RowColumns("polygon", extra, alternatives=possible_kinds(rows, lengths, "polygon"), dropped=dropped)


def pose_columns(rows: Sequence[Row], lengths: Counter[int], declared: tuple[int, int]) -> RowColumns:
    """Keypoints declared in data.yaml; the rows determine whether there is a visibility."""
    count, dimensions = declared
    most = lengths.most_common(1)[0][0]
    for shape in (declared, (count, 5 - dimensions)):
        if 0 <= most - BOX - shape[0] * shape[1] <= 2:
            width = BOX + shape[0] * shape[1]
            return RowColumns("keypoints", keypoints=shape, dropped=behind(rows, width))
    return RowColumns("keypoints", keypoints=keypoints_in(rows, lengths) or declared)


def keypoint_columns(rows: Sequence[Row], lengths: Counter[int]) -> RowColumns | None:
    """Rows that are longer than boxes and not polygons; None if they are polygons."""
    if flagged(rows):
        return RowColumns("box", dropped=behind(rows, BOX), alternatives=possible_kinds(rows, lengths, "box"))
    if set(lengths) <= {BOX, BOX + 1, BOX + 2} and numbered(rows) and share(map(has_box, rows)) >= NEARLY_ALL:
        return RowColumns("box", dropped=behind(rows, BOX), alternatives=possible_kinds(rows, lengths, "box"))
    if shape := keypoints_in(rows, lengths):
        dropped = behind(rows, BOX + shape[0] * shape[1])
        return RowColumns(
            "keypoints", 0, shape, possible_kinds(rows, lengths, "keypoints"), dropped, has_visibility(rows, *shape)
        )
    return None


def confidence_second(rows: Sequence[Row]) -> bool:
    """Whether rows are "class confidence" and a box, as evaluation tools write predictions: boxes after the class do
    not fit, boxes after the confidence nearly all do.
    """
    if not rows or any(len(row) != BOX + 1 or not 0 <= row[1] <= 1 for row in rows):
        return False
    pixels = share(max(row[2:]) > PIXELS for row in rows) >= NEARLY_ALL
    if pixels:
        return share(row[1] < 1 and not row[1].is_integer() for row in rows) > 0.5
    wrong, right = (
        min(sum(not box_numbers.lies_in_image(row[at : at + 4], way) for row in rows) for way in box_numbers.READERS)
        for at in (1, 2)
    )
    return wrong >= max(2, box_numbers.FEW * len(rows)) and not right


def possible_kinds(rows: Sequence[Row], lengths: Counter[int], kind: str) -> list[str]:
    """The other kinds possible for rows of these lengths."""
    if max(lengths) <= BOX + 1:
        return []
    kinds = ["polygon", "keypoints" if keypoints_in(rows, lengths, strict=False) else "", "box"]
    return [name for name in kinds if name and name != kind]


def flagged(rows: Sequence[Row]) -> bool:
    """Whether the columns after the boxes are integers (truncated, occluded, an id), whereas coordinates are
    fractions.
    """
    long = [row for row in rows if len(row) > BOX]
    return (
        len(long) >= max(MANY, NEARLY_ALL * len(rows))
        and share(max(row[1:BOX]) <= PIXELS for row in long) == 1
        and all(value.is_integer() for row in long for value in row[BOX:])
        and share(map(has_box, long)) >= NEARLY_ALL
        and not all(ends_in_corners(row[BOX:]) for row in long)
    )


def ends_in_corners(rest: Row) -> bool:
    """Whether these are several corners of the image: the end of a floor's polygon, or of the image's own outline."""
    points = list(zip(rest[::2], rest[1::2], strict=False))
    return len(rest) % 2 == 0 and len(points) > 1 and set(rest) <= {0.0, 1.0} and len(set(points)) == len(points)


def numbered(rows: Sequence[Row]) -> bool:
    """Whether each longest row ends in a track id, with or without a confidence."""
    longest = [row for row in rows if len(row) == BOX + 2]
    for track, confidence in ((-1, -2), (-2, -1)):
        if all(row[track].is_integer() and row[track] >= 0 and 0 <= row[confidence] <= 1 for row in longest):
            return any(row[track] >= 1 for row in longest)
    return False


def behind(rows: Sequence[Row], width: int) -> str:
    """The meaning of the columns after those of a box or pose."""
    more = [row[width:] for row in rows if len(row) > width]
    if not more:
        return ""
    if max(map(len, more)) > 1:
        flags = all(value in {0, 1} for row in more for value in row)
        return "both" if max(map(len, more)) == 2 and not flags else "rest"
    last = [row[0] for row in more]
    if all(value.is_integer() and value >= -1 for value in last) and any(not 0 <= value <= 1 for value in last):
        return "track"
    return "confidence" if all(0 <= value <= 1 for value in last) else "angle"


def behind_outlines(rows: Sequence[Row], lengths: Counter[int]) -> tuple[int, str]:
    """The number and the meaning of the columns after polygons."""
    long = [row for row in rows if len(row) > BOX + 1]
    if share(len(row) % 2 == 0 for row in long) >= NEARLY_ALL and min(map(len, long)) >= BOX + 3:
        last = [row[-1] for row in long]
        track = all(value.is_integer() for value in last) and any(value > 1 for value in last)
        return 1, "track" if track else "confidence"
    odd = [row for row in long if len(row) > BOX + 3]
    if (
        len(odd) == len(long)
        and all(row[-1].is_integer() and 0 <= row[-2] <= 1 for row in odd)
        and any(row[-1] > 1 for row in odd)
    ):
        return 2, "both"
    return 0, ""


def keypoints_in(rows: Sequence[Row], lengths: Counter[int], strict: bool = True) -> tuple[int, int] | None:
    """The number of keypoints after each box, and the numbers of each; None if the rows are polygons.

    Keypoints lie in their box, in nearly all rows. A polygon whose first two points happen to be the bounding box of
    the others is rare, and does not occur in an entire set of equal lengths.

    Args:
        strict: False: check only whether the lengths allow it.
    """
    length, count = lengths.most_common(1)[0]
    if count < NEARLY_ALL * len(rows) or length < BOX + 2:
        return None
    same = [row for row in rows if len(row) == length]
    for extra in (0, 1, 2):
        for size in (3, 2):
            points, rest = divmod(length - BOX - extra, size)
            if rest or points < 1:
                continue
            if not strict or (plausible(same, points, size) and not (extra and not ends(same, extra))):
                return points, size
    return None


def ends(rows: Sequence[Row], extra: int) -> bool:
    """Whether the last columns are a confidence, a track id, or both."""
    return all(value.is_integer() or 0 <= value <= 1 for row in rows for value in row[-extra:])


def plausible(rows: Sequence[Row], points: int, size: int) -> bool:
    """Whether the numbers after a box are keypoints: inside the box, and with a valid visibility if there is one."""
    width = points * size
    if has_visibility(rows, points, size):
        return True
    marks = marks_of(rows, width) if size == 3 else []
    if share(map(has_inside, rows)) < NEARLY_ALL:
        return False
    if not all(value in MARKS or 0 <= value <= 1 for value in marks):
        return False
    starts = range(BOX, BOX + width, size)
    marked = [(row, row[at], row[at + 1]) for row in rows for at in starts if row[at] or row[at + 1]]
    if len(rows) < MANY and points == 1:
        return False
    return bool(marked) and share(within(row, x, y) for row, x, y in marked) >= NEARLY_ALL


def has_visibility(rows: Sequence[Row], points: int, size: int) -> bool:
    """Whether each keypoint has a visibility of 0, 1 or 2. In a polygon, every third number would have to be on the
    image's edge.
    """
    marks = set(marks_of(rows, points * size)) if size == 3 else set()
    return MARKS.issuperset(marks) and 2.0 in marks


def marks_of(rows: Sequence[Row], width: int) -> list[float]:
    """Every third number after the boxes."""
    return [value for row in rows for value in row[BOX + 2 : BOX + width : 3]]


def has_inside(row: Row) -> bool:
    """Whether the first columns are a box inside its image, or in pixels."""
    x, y, width, height = row[1:BOX]
    if max(row[1:BOX]) > PIXELS:
        return width > 0 and height > 0
    return (
        width > 0
        and height > 0
        and min(x - width / 2, y - height / 2) > -MARGIN
        and max(x + width / 2, y + height / 2) < 1 + MARGIN
    )


def has_box(row: Row) -> bool:
    """Whether the first columns are a box in any reading."""
    return max(row[1:BOX]) > PIXELS or any(box_numbers.lies_in_image(row[1:BOX], way) for way in box_numbers.READERS)


def within(row: Row, x: float, y: float) -> bool:
    """Whether a point is inside its row's box."""
    across, down = row[3] * (0.5 + MARGIN), row[4] * (0.5 + MARGIN)
    return abs(x - row[1]) <= across + 1e-6 and abs(y - row[2]) <= down + 1e-6


def share(values: object) -> float:
    """The share of true values."""
    flags = list(values)  # type: ignore[call-overload]
    return sum(map(bool, flags)) / len(flags) if flags else 0.0
