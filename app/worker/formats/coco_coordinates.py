"""Determines the coordinates in COCO files: the meaning of a box's numbers, and the unit of boxes and polygons."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.worker.formats import row_units
from app.worker.formats.box_numbers import infer_reading, scaled
from app.worker.formats.coco_file import CocoFile, annotations, lookup
from app.worker.formats.coco_objects import box_of
from app.worker.formats.coordinate_frames import CoordinateFrame, FrameFitting, SizeClaim, measure
from app.worker.formats.draft_boxes import NEARLY_ALL, are_fractions, box_decision, infer_unit, unit_decision
from app.worker.formats.geometry import Box, Points
from app.worker.formats.model import Decision, Options, decision
from app.worker.formats.row_columns import PIXELS
from app.worker.formats.tree import Tree

Size = tuple[int, int]


@dataclass(frozen=True)
class Coordinates:
    """The meaning of a box's numbers (COCO's: left, top, width, height), and the unit of all coordinates.

    Attributes:
        unit: of app.core.readings; for mixed fractions and pixels, decided per object.
        outlines: the unit of polygons, if it differs.
        frames: by image, if its size differs from the file's.
    """

    boxes: str = "top_left"
    unit: str = "pixels"
    outlines: str = ""
    frames: Mapping[str, CoordinateFrame] = field(default_factory=dict)

    def of(self, numbers: Sequence[float]) -> "Coordinates":
        """The coordinates of a single object, by the numbers of its box."""
        if self.unit != row_units.MIXED:
            return self
        small = bool(numbers) and row_units.of_row(numbers) == "fractions"
        return replace(self, unit="fractions", boxes="top_left") if small else replace(self, unit="pixels")

    def frame(self, image: str, size: Size) -> CoordinateFrame | None:
        if self.unit == "pixels":
            return self.frames.get(image)
        across, down = row_units.SCALES.get(self.unit, (1, 1))
        return CoordinateFrame(size, scale=(size[0] / across, size[1] / down))

    def parts(self, parts: Sequence[Points], size: Size) -> list[Points]:
        """Polygons in the unit of the boxes."""
        if not self.outlines or self.outlines == self.unit:
            return list(parts)
        across, down = size if self.outlines == "fractions" else (1 / size[0], 1 / size[1])
        return [[(x * across, y * down) for x, y in part] for part in parts]


def infer_coordinates(
    tree: Tree, files: list[CocoFile], numbers: dict[str, int], options: Options
) -> tuple[Coordinates, list[Decision]]:
    """Determine the meaning of the boxes' numbers and the unit of the set."""
    sample = [
        (
            item.image,
            numbers.get(lookup(file.categories, key) or "", 0),
            box,
            measure(size, tree.pictures.get(item.image)) or size,
        )
        for file in files
        for image, key, box in file.survey.boxes
        if all(map(math.isfinite, box))
        if (entry := file.image(image))
        for item, size in [entry]
        if all(size)
    ]
    counted = infer_unit([(box, size) for *_, box, size in sample], options.chosen("unit"))
    unit, coordinates = counted.name, Coordinates(unit=counted.name)
    in_unit = [entry for entry in sample if unit != row_units.MIXED or coordinates.of(entry[2]).unit == "pixels"]
    numbers_of = [
        (image, number, box if unit == "fractions" else scaled(box, row_units.SCALES.get(unit, size)))
        for image, number, box, size in in_unit
    ]
    judged = infer_reading([box for *_, box in numbers_of], "top_left", options.chosen("boxes"))
    decisions = unit_decision(counted, sample, judged.reading, options)
    if in_unit and judged.doubtful:
        decisions.append(box_decision(judged, numbers_of, options))
    frames, fitted = FrameFitting(size_claims(tree, files, numbers, judged.reading), options).fit()
    outlines = outline_unit(files, unit)
    if outlines:
        decisions.append(decision(f"outlines_{outlines}"))
    return Coordinates(judged.reading, unit, outlines, frames), decisions + fitted


def outline_unit(files: list[CocoFile], unit: str) -> str:
    """The unit of polygons: "" if it is that of the boxes."""
    spans = [span for file in files for span in file.survey.spans]
    if unit not in {"fractions", "pixels"} or not spans:
        return ""
    small = are_fractions(spans, None)
    large = sum(max(span) > PIXELS for span in spans) >= NEARLY_ALL * len(spans)
    return "fractions" if unit == "pixels" and small else "pixels" if unit == "fractions" and large else ""


def size_claims(tree: Tree, files: list[CocoFile], numbers: dict[str, int], way: str) -> Iterator[SizeClaim]:
    """The declared sizes of images whose actual size or orientation is known to differ."""
    for file in files if tree.pictures else ():
        claims_by_image: dict[str, tuple[tuple[int, int] | None, list[tuple[int, Box]]]] = {
            item.image: (size if all(size) else None, [])
            for item, size in file.images.values()
            if item.image in tree.pictures
        }
        for _, element in annotations(tree, file) if claims_by_image else ():
            entry = file.image(element.get("image_id"))
            if entry and entry[0].image in claims_by_image and (box := box_of(element.get("bbox"), way)):
                name = lookup(file.categories, element.get("category_id")) or ""
                claims_by_image[entry[0].image][1].append((numbers.get(name, 0), box))
        for image, (size, boxes) in claims_by_image.items():
            finite = [entry for entry in boxes if all(map(math.isfinite, entry[1]))]
            yield SizeClaim(image, size, tree.pictures[image], finite)
