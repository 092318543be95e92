"""Repairs the rows of one label file."""

from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from app.worker.quality.fixable import is_fixable
from app.worker.quality.labels import BOX, UTF16, Labels, Rules, box_of, judge_text

PASSES = 4  # repairing a row's first fault may reveal another
DROPPED = {"label_not_number", "label_nan", "class_out_of_range", "degenerate_box", "duplicate_row"}
# fixes that may drop rows
TAKING = DROPPED | {"label_columns", "label_out_of_range", "label_negative", "label_near_range"}
CLIPPED = {"label_out_of_range", "label_negative", "label_near_range"}
OUTLINES = {"segment", "obb"}


@dataclass
class Repaired:
    """The remaining rows, each with its original line number; the repaired codes with counts; and the number of dropped
    rows.
    """

    rows: list[tuple[int, str]]
    counts: Counter[str] = field(default_factory=Counter)
    dropped: int = 0

    @property
    def emptied(self) -> bool:
        """Whether no row of a labeled file remains. Its image would become a background image, and teach the model to
        ignore its objects.
        """
        return self.dropped > 0 and not self.rows


def repair(raw: bytes, rules: Rules, codes: Collection[str], task: str) -> Repaired | None:
    """Repair faults with one of these codes; None if there are none.

    Args:
        rules: with the dataset's task if known.
        task: known or detected; boxes and polygons in one file are unified to what it needs.
    """
    counts = Counter[str]()
    text = decoded(raw, codes, counts)
    if text is None:
        return None
    rows = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    before = len(rows)
    for _ in range(PASSES):
        after, repairs = one_pass(rows, rules, codes, task)
        counts += repairs
        rows = after
        if not repairs:
            break
    return Repaired(rows, counts, before - len(rows)) if counts else None


def decoded(raw: bytes, codes: Collection[str], counts: Counter[str]) -> str | None:
    """The file's text; None if its encoding is invalid and not to be repaired."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        if "label_encoding" not in codes:
            return None
        counts["label_encoding"] += 1
        return raw.decode("utf-16", "replace") if raw[:2] in UTF16 else raw.decode("latin-1")
    if raw.startswith(b"\xef\xbb\xbf") and "label_bom" in codes:
        counts["label_bom"] += 1
    return text


def one_pass(
    rows: list[tuple[int, str]], rules: Rules, codes: Collection[str], task: str
) -> tuple[list[tuple[int, str]], Counter[str]]:
    """Repair the first fault of each row."""
    labels = judge_text("\n".join(row for _, row in rows), rules, Labels(most=len(rows) * 4 + 1))
    faults: dict[int, str] = {}
    for item in labels.findings:
        if item["code"] in codes and is_fixable(item) and item["line"] is not None:
            faults.setdefault(item["line"], item["code"])
    file_fault = fault_of_file(labels, codes, task)
    repaired, counts = [], Counter[str]()
    for number, (line, row) in enumerate(rows, 1):
        code = file_fault if file_fault and needs(row, file_fault, task) else faults.get(number)
        if code is None or code == "mixed_rows":
            code = code if code and needs(row, code, task) else None
        new = row if code is None else repair_row(row, code, rules, task)
        if new != row and code:
            counts[code] += 1
        if new is not None:
            repaired.append((line, new))
    return repaired, counts


def fault_of_file(labels: Labels, codes: Collection[str], task: str) -> str | None:
    """The fault that concerns every row of a file: boxes and polygons mixed, or boxes where polygons are required."""
    present = {item["code"] for item in labels.findings}
    if "mixed_rows" in present & set(codes):
        return "mixed_rows"
    return "label_box" if "label_box" in present & set(codes) and task in OUTLINES else None


def needs(row: str, code: str, task: str) -> bool:
    """Whether a row of such a file has the wrong form for the task."""
    columns = len(row.split())
    if code not in {"mixed_rows", "label_box"}:
        return True
    return columns == BOX if task in OUTLINES else columns > BOX + 1 and columns % 2 == 1


def repair_row(row: str, code: str, rules: Rules, task: str) -> str | None:
    """The repaired row; None if it is dropped; unchanged if it cannot be repaired."""
    columns = row.split()
    if code in DROPPED:
        return None
    if code == "label_columns":
        return " ".join(columns[:BOX]) if len(columns) == BOX + 1 else None  # a box with its confidence
    try:
        values = [float(column) for column in columns]
    except ValueError:
        return row
    if code == "class_float":
        return " ".join([str(round(values[0])), *columns[1:]])
    if code in {"mixed_rows", "label_box"}:
        return joined(columns[0], corners(values[1:]) if task in OUTLINES else list(box_of(array("f", values))))
    return clipped(columns[0], values[1:], rules) if code in CLIPPED else row


def clipped(number: str, values: list[float], rules: Rules) -> str | None:
    """A box, polygon or box with keypoints clipped at the image's edges; None if nothing of a box remains."""
    pose = rules.task == "pose"
    if len(values) == BOX - 1 or pose:
        x, y, w, h = values[:4]
        left, right = cut(x - w / 2), cut(x + w / 2)
        top, bottom = cut(y - h / 2), cut(y + h / 2)
        if right <= left or bottom <= top:
            return None
        box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        rest = [cut(value) if index % rules.dimensions < 2 else value for index, value in enumerate(values[4:])]
        return joined(number, box + rest)
    return joined(number, [cut(value) for value in values])


def cut(value: float) -> float:
    return min(1.0, max(0.0, value))


def corners(box: list[float]) -> list[float]:
    """A box as the four corners of a polygon, clockwise from the top left."""
    x, y, w, h = box
    left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    return [left, top, right, top, right, bottom, left, bottom]


def joined(number: str, values: list[float]) -> str:
    return " ".join([number, *(f"{value:.6f}".rstrip("0").rstrip(".") for value in values)])
