"""Infers the meaning of rows over an entire YOLO dataset: judge(tree, source, …) returns a Meaning, and adds its
decisions to `source`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from app.core.report import Keypoints
from app.core.text_data import TextData
from app.worker.formats import box_numbers, row_columns, row_units
from app.worker.formats.box_numbers import FEW
from app.worker.formats.class_names import check_names
from app.worker.formats.coordinate_frames import sides
from app.worker.formats.meaning import Meaning
from app.worker.formats.meaning_examples import MeaningExamples, Sample
from app.worker.formats.model import Item, Options, Source, decision
from app.worker.formats.readings import reading
from app.worker.formats.rows import BOX, LabelRow, key_of
from app.worker.formats.sizes import DisplayedSize, DisplayedSizes
from app.worker.formats.survey import LabelSurvey, survey_labels
from app.worker.formats.tree import Tree

TURN = 2 * math.pi  # radians
NEARLY_ALL = 0.95  # share of the rows
DISPLAYED, STORED = attrgetter("size"), attrgetter("stored")
DEFINED = {"KITTI": "corners", "VisDrone": "top_left"}  # readings of boxes that a layout defines


@dataclass(frozen=True)
class Choice:
    """A question with several possible answers.

    Args:
        chosen: one of `ways`, the changes to a meaning by answer.
        data: for its text.
        distinctive: rows that distinguish the ways.
    """

    question: str
    chosen: str
    ways: Mapping[str, Mapping[str, Any]]
    data: TextData
    distinctive: Sample


class RowMeaningInference:
    """Infers the meaning of one dataset's rows.

    Args:
        first: the number of the first class in the list of names.
    """

    def __init__(
        self, tree: Tree, source: Source, keypoints: Keypoints | None, options: Options, first: int = 0
    ) -> None:
        self.tree, self.source, self.options = tree, source, options
        self.keypoints, self.first = keypoints, first
        self.sizes = DisplayedSizes(tree.path)
        self.examples = MeaningExamples(self.sizes)

    def infer(self) -> Meaning:
        numbers = {key_of(name): number for number, name in reversed(list(enumerate(self.source.names)))}
        survey = survey_labels(self.tree, self.source.items, numbers)
        meaning = self.infer_names(survey, Meaning(numbers=numbers, odd=frozenset(survey.odd)))
        meaning = replace(meaning, last=self.class_last(survey), second=self.confidence_second(survey))
        meaning = replace(meaning, columns=self.infer_columns(survey))
        if meaning.columns.dropped == "angle":
            angles = [abs(row.values[BOX]) for _, row in survey.sample if row.values and len(row.values) > BOX]
            meaning = replace(meaning, angle=math.degrees(1) if max(angles) <= TURN else 1.0)
        meaning = self.infer_coordinates(survey, meaning)
        return self.infer_first_class(survey, meaning)

    def infer_names(self, survey: LabelSurvey, meaning: Meaning) -> Meaning:
        """Class names in rows, and commas."""
        decisions = self.source.decisions
        if survey.comma_rows:
            decisions.append(decision("rows_commas", count=survey.comma_rows))
        if survey.mended:
            decisions.append(decision("rows_mended", count=survey.mended))
        decisions.extend(decision("rows_layout", layout=layout) for layout in sorted(survey.layouts - {"class last"}))
        if not survey.named_rows:
            return meaning
        decisions.append(decision("rows_named", count=survey.named_rows))
        if not self.source.names and not survey.bare_rows:
            self.source.names = check_names(sorted(survey.names), self.options.max_classes, "labels")
            decisions.append(decision("names_sorted", "names", count=len(survey.names)))
            numbers = {key_of(name): number for number, name in enumerate(self.source.names)}
            return replace(meaning, numbers=numbers)
        return meaning

    def infer_columns(self, survey: LabelSurvey) -> row_columns.RowColumns:
        """Boxes, polygons or keypoints, and further columns."""
        options, rows = self.options, [row.values or [] for _, row in survey.sample]
        declared: tuple[int, int] | None = None
        if self.keypoints:
            count, dimensions = self.keypoints["kpt_shape"]
            declared = count, dimensions
        of_task = {"segment": "polygon", "obb": "polygon"}.get(options.task)
        chosen = options.chosen("columns")
        columns = row_columns.infer_columns(rows, declared, chosen or (None if declared else of_task))
        if columns.dropped:
            self.source.decisions.append(decision(f"columns_{columns.dropped}"))
        if columns.kind == "keypoints" and columns.keypoints != declared and (columns.certain or declared):
            count, dimensions = columns.keypoints
            code = "keypoints_other" if declared else "keypoints_found"
            self.source.decisions.append(decision(code, "task", count=count, dimensions=dimensions))
        elif columns.alternatives and (chosen or not (of_task or columns.kind == "polygon")):
            self.report_columns(survey, columns, rows, declared)
        return columns

    def report_columns(self, survey: LabelSurvey, columns: row_columns.RowColumns, rows: Any, declared: Any) -> None:
        ways = {columns.kind: columns} | {
            kind: row_columns.infer_columns(rows, declared, kind) for kind in columns.alternatives
        }
        examples = self.examples.draw(survey.sample, {kind: Meaning(columns=way) for kind, way in ways.items()})
        data = {"count": columns.keypoints[0], "columns": max(map(len, rows))}
        self.source.decisions.append(
            reading("columns", columns.kind, columns.alternatives, self.options, examples, **data)
        )

    def infer_coordinates(self, survey: LabelSurvey, meaning: Meaning) -> Meaning:
        """The unit, and the reading of the boxes. Each question is illustrated with the answers to the others."""
        sample = [(item, row) for item, row in survey.sample if len(row.values or []) >= BOX]
        chosen: list[Choice] = []
        meaning = self.infer_unit(sample, meaning, chosen)
        if meaning.unit == "pixels":
            meaning = self.infer_orientation(sample, meaning, chosen)
        if meaning.columns.kind != "polygon" and sample:
            meaning = self.infer_boxes(survey, sample, meaning, chosen)
        for choice in chosen:
            ways = {name: replace(meaning, **changes) for name, changes in choice.ways.items()}
            examples = self.examples.draw(survey.sample, ways, choice.distinctive)
            alternatives = [name for name in ways if name != choice.chosen]
            decision = reading(choice.question, choice.chosen, alternatives, self.options, examples, **choice.data)
            self.source.decisions.append(decision)
        return meaning

    def infer_boxes(self, survey: LabelSurvey, sample: Sample, meaning: Meaning, chosen: list[Choice]) -> Meaning:
        """The reading of the boxes' four numbers."""
        requested = self.options.chosen("boxes")
        layout = "".join(survey.layouts)
        if not requested and layout in DEFINED and (layout == "VisDrone" or all(row.named for _, row in sample)):
            return replace(meaning, boxes=DEFINED[layout])
        if meaning.unit == row_units.MIXED:
            sample = [entry for entry in sample if meaning.of_row((entry[1].values or [])[1:]).unit == "pixels"]
        rows = [self.box(item, row, meaning) for item, row in sample]
        usual = None if meaning.unit != "fractions" else "centre"
        judged = box_numbers.infer_reading([row for row in rows if row], usual, requested)
        if judged.doubtful:
            ways = {way: {"boxes": way} for way in [judged.reading, *judged.alternatives]}
            outlying = [
                entry
                for entry, box in zip(sample, rows, strict=True)
                if box and not box_numbers.lies_in_image(box, "centre")
            ]
            data = {"boxes": judged.boxes, "outside": judged.outside}
            chosen.append(Choice("boxes", judged.reading, ways, data, outlying))
        return replace(meaning, boxes=judged.reading)

    def infer_unit(self, sample: Sample, meaning: Meaning, chosen: list[Choice]) -> Meaning:
        """The unit of the numbers."""
        large = sum(max(meaning.span(row)) > row_columns.PIXELS for _, row in sample)
        judged = self.likeliest_unit(sample, large, meaning)
        unit_name = self.options.chosen("unit") or judged.name
        if unit_name == judged.name and not judged.alternatives:
            if unit_name != "fractions":
                self.source.decisions.append(decision("unit_pixels"))
            return replace(meaning, unit=unit_name)
        alternatives = [unit for unit in (judged.name, *judged.alternatives, "pixels") if unit != unit_name] or [
            "fractions"
        ]
        kinds = {row_units.of_row(meaning.span(row)): (item, row) for item, row in reversed(sample)}
        ways = {unit: {"unit": unit} for unit in [unit_name, *alternatives]}
        data = {"pixels": large, "rows": len(sample)}
        chosen.append(Choice("unit", unit_name, ways, data, list(kinds.values())))
        return replace(meaning, unit=unit_name)

    def likeliest_unit(self, sample: Sample, large: int, meaning: Meaning) -> row_units.Unit:
        """The likeliest unit, given that `large` rows have a number above 1."""
        if not large:
            return row_units.Unit("fractions", [])
        samples = [(meaning.span(row), displayed) for item, row in sample if (displayed := self.sizes.of(item.image))]
        sized = [(values, displayed.size) for values, displayed in samples]
        if row_units.is_mixed(sized):
            alternatives = ["pixels", "fractions"] if 2 * large > len(sample) else ["fractions", "pixels"]
            return row_units.Unit(row_units.MIXED, alternatives)
        if large <= len(sample) / 2:
            return row_units.Unit("fractions", [])
        if meaning.columns.kind == "polygon":
            return row_units.Unit("pixels", [])
        judged = row_units.infer_unit(sized)
        fits = [
            row_units.fits_pixels([(v, size(displayed)) for v, displayed in samples]) for size in (DISPLAYED, STORED)
        ]
        if judged.name != "pixels" and fits == [False, True]:  # of the rotated images as stored
            judged = row_units.Unit("pixels", [judged.name])
        return judged

    def infer_orientation(self, sample: Sample, meaning: Meaning, chosen: list[Choice]) -> Meaning:
        """Whether pixels refer to the stored images, if EXIF rotates these by 90°."""
        turned = [entry for entry in sample if (size := self.sizes.of(entry[0].image)) and size.stored != size.size]
        if not turned or meaning.tilted:
            return meaning
        ways = {"stored_pixels": {"stored": True}, "shown_pixels": {"stored": False}}
        upright = row_units.UPRIGHT_READINGS
        wrong = {
            name: row_units.count_outside(self.fractions_of(turned, replace(meaning, **way)), upright)  # type: ignore[arg-type]
            for name, way in ways.items()
        }
        likely = wrong["shown_pixels"] >= box_numbers.CERTAIN and wrong["stored_pixels"] <= FEW * len(turned)
        reading_name = self.options.chosen("size") or ("stored_pixels" if likely else "shown_pixels")
        if reading_name == "declared_size" or (reading_name == "shown_pixels" and not wrong["shown_pixels"]):
            return meaning
        images = list(dict.fromkeys(item.image for item, _ in turned))
        one = self.sizes.of(images[0]) or DisplayedSize((0, 0))
        data: TextData = {"count": len(images), "declared": sides(one.stored), "size": sides(one.size)}
        chosen.append(Choice("size", reading_name, ways, data, turned))
        return replace(meaning, stored=reading_name == "stored_pixels")

    def fractions_of(self, sample: Sample, meaning: Meaning) -> list[list[float]]:
        boxes = (self.box(item, row, meaning) for item, row in sample)
        return [box for box in boxes if box]

    def box(self, item: Item, row: LabelRow, meaning: Meaning) -> list[float] | None:
        """The four numbers of a box; for a polygon, the corners of its bounding box."""
        values = meaning.span(row)
        if meaning.of_row(values).unit == "fractions":
            return values
        divisor = row_units.divisor(meaning.of_row(values).unit, meaning.frame(self.sizes.of(item.image))[0])
        return box_numbers.scaled(values, divisor) if divisor else None

    def class_last(self, survey: LabelSurvey) -> bool:
        """Whether the class is the last column, as in "x y w h class"; the sample's columns are then rotated."""
        rows = [row for _, row in survey.sample if row.values and not row.named]
        if not rows or any(len(row.columns) != BOX for row in rows):
            return False
        firsts, lasts = ([(row.values or [])[at] for row in rows] for at in (0, -1))
        most = len(self.source.names) or self.options.max_classes
        if not all(value.is_integer() and 0 <= value < most for value in lasts):
            return False
        strange = sum(not value.is_integer() or value >= most for value in firsts)
        if strange < NEARLY_ALL * len(rows) and not (self.source.names and 2 * strange > len(rows)):
            return False
        survey.sample = [(item, row if row.named else row.turned()) for item, row in survey.sample]
        survey.classes = {int(value) for value in lasts}
        self.source.decisions.append(decision("rows_layout", layout="x y w h class"))
        return True

    def confidence_second(self, survey: LabelSurvey) -> bool:
        """Whether a confidence follows the class; it is then removed from the sample."""
        if not row_columns.confidence_second([row.values for _, row in survey.sample if row.values]):
            return False
        survey.sample = [(item, row.without_second()) for item, row in survey.sample]
        self.source.decisions.append(decision("columns_confidence_second"))
        return True

    def infer_first_class(self, survey: LabelSurvey, meaning: Meaning) -> Meaning:
        """Whether classes count from 1: no row has class 0, and the largest number is one too large."""
        chosen, count = self.options.chosen("classes"), len(self.source.names)
        named_from_one = self.first == 1 and survey.largest < count
        from_one = (
            bool(survey.classes)
            and 0 not in survey.classes
            and not survey.named_rows
            and (survey.complete or not meaning.last)  # with the class last, only the sample's classes are known
            and (
                (survey.largest == count or named_from_one)
                if count
                else (survey.from_one and survey.largest < self.options.max_classes)
            )
        )
        if not from_one and not chosen:
            return meaning
        numbering = chosen or "one_based"
        ways = {"zero_based": meaning, "one_based": replace(meaning, first=1)}
        alternatives = [way for way in ways if way != numbering]
        examples = self.examples.draw(survey.sample, ways)
        reported = reading("classes", numbering, alternatives, self.options, examples, largest=survey.largest)
        self.source.decisions.append(reported)
        if numbering == "one_based" and not count and survey.largest > 0:
            self.source.names = [f"class_{number}" for number in range(1, survey.largest + 1)]
            self.source.decisions.append(decision("classes_unnamed", "names", last=survey.largest))
        return ways[numbering]
