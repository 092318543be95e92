"""The image that annotations refer to, and the displayed one: they differ by an EXIF rotation, or by a declared size.

A tool that ignores the rotation writes pixels of the stored image; one that applies it, of the displayed image; and one
tool measures in the displayed image and multiplies by the sides of the stored one. The declared size distinguishes the
first two, but not the first and the third: one is assumed, and a person is asked.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.core.shapes import DrawnObject
from app.worker.formats.model import Decision, Options
from app.worker.formats.readings import drawn_box, example, reading
from app.worker.formats.sizes import DisplayedSize
from app.worker.orientation import TURNED

Size = tuple[int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

SLACK = 1.01  # tolerance as a factor: boxes drawn imprecisely exceed a size by less
SAME_SHAPE = 0.02  # of the aspect ratio
LABEL_STUDIO = re.compile(r"[0-9a-f]{8}-.")  # image names in its exports

# From the stored image of this width and height to the displayed one, by EXIF orientation.
TURNS: dict[int, Callable[[float, float, float, float], Point]] = {
    1: lambda x, y, w, h: (x, y),
    2: lambda x, y, w, h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (y, w - x),
}


@dataclass(frozen=True, slots=True)
class CoordinateFrame:
    """Converts coordinates of an annotation to pixels of the displayed image.

    Args:
        size: of the displayed image.
        stored, turn: of the stored image, if coordinates refer to it.
        scale: horizontal and vertical, if they refer to an image of another size.
    """

    size: Size
    stored: Size = (0, 0)
    turn: int = 1
    scale: Point | None = None

    def point(self, x: float, y: float) -> Point:
        if self.scale:
            return x * self.scale[0], y * self.scale[1]
        return TURNS[self.turn](x, y, *self.stored)

    def box(self, box: Box) -> Box:
        (left, top), (right, bottom) = self.point(*box[:2]), self.point(*box[2:])
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


@dataclass(slots=True)
class SizeClaim:
    """The size that an annotation declares, and that of the image.

    `boxes` are in the annotation's pixels; of many, the outermost ones suffice.
    """

    image: str
    declared: Size | None
    displayed: DisplayedSize
    boxes: Sequence[tuple[int, Box]]  # class, sides
    relative: bool = False  # coordinates are percentages of the displayed image, times the declared size

    @property
    def kind(self) -> str:
        """turned (the rotation swaps its sides, and the declared size is not the displayed one), half_turned, swapped,
        scaled, reshaped; "" if all agree.
        """
        displayed, declared = self.displayed, self.declared
        if displayed.turn in TURNED and displayed.size[0] != displayed.size[1] and declared in {None, displayed.stored}:
            return "turned"
        if declared in {None, displayed.size}:
            square = displayed.size[0] == displayed.size[1]
            return "half_turned" if displayed.turn > 1 and (square or displayed.turn not in TURNED) else ""
        if declared == displayed.size[::-1]:
            return "swapped"
        ratio = declared[0] * displayed.size[1] / (declared[1] * displayed.size[0])
        return "scaled" if abs(ratio - 1) <= SAME_SHAPE else "reshaped"

    def reach(self) -> Point:
        """The largest coordinates of the boxes."""
        return max((box[2] for _, box in self.boxes), default=0), max((box[3] for _, box in self.boxes), default=0)

    def within(self, size: Size | None) -> bool:
        across, down = self.reach()
        return size is not None and across <= size[0] * SLACK and down <= size[1] * SLACK

    def frame(self, way: str) -> CoordinateFrame:
        """The frame of its coordinates in a reading of app.core.readings."""
        size = self.displayed.size
        if way == "stored_pixels":
            return CoordinateFrame(size, self.displayed.stored, self.displayed.turn)
        if way == "declared_size" and self.declared:
            return CoordinateFrame(size, scale=(size[0] / self.declared[0], size[1] / self.declared[1]))
        return CoordinateFrame(size)


def measure(declared: Size | None, displayed: DisplayedSize | None) -> Size | None:
    """A size for judging boxes before their frame is known: one that contains both sizes."""
    if displayed is None or declared is None or SizeClaim("", declared, displayed, ()).kind == "scaled":
        return declared or (displayed.size if displayed else None)
    return max(declared[0], displayed.size[0], displayed.stored[0]), max(
        declared[1], displayed.size[1], displayed.stored[1]
    )


class FrameFitting:
    """Chooses a reading for the images whose size or orientation differs from their annotations."""

    def __init__(self, claims: Iterable[SizeClaim], options: Options) -> None:
        self.options = options
        every = list(claims)
        self.obeyed = sum(
            claim.displayed.turn in TURNED and claim.declared == claim.displayed.size != claim.displayed.stored
            for claim in every
        )
        self.claims: dict[str, list[SizeClaim]] = {}
        for claim in every:
            if claim.kind:
                self.claims.setdefault(claim.kind, []).append(claim)

    def fit(self) -> tuple[dict[str, CoordinateFrame], list[Decision]]:
        """The frames of these images, and the decisions."""
        ways = {kind: self.way(kind, claims) for kind, claims in self.claims.items()}
        frames = {claim.image: claim.frame(ways[kind][0]) for kind, claims in self.claims.items() for claim in claims}
        open_kinds = [kind for kind, (_, alternatives) in ways.items() if alternatives]
        if not open_kinds:
            return frames, []
        main = max(open_kinds, key=lambda kind: len(self.claims[kind]))
        return frames, [self.report(self.claims[main], *ways[main], sum(len(self.claims[kind]) for kind in open_kinds))]

    def way(self, kind: str, claims: list[SizeClaim]) -> tuple[str, list[str]]:
        """The reading for one kind, and its alternatives; none if it is nearly certain."""
        likely, possible, certain = getattr(self, kind)(claims)
        chosen = self.options.chosen("size")
        if chosen and (chosen in possible or not certain):
            return chosen, [way for way in (likely, *possible) if way != chosen]
        return (likely, []) if certain else (likely, [way for way in possible if way != likely])

    def turned(self, claims: list[SizeClaim]) -> tuple[str, list[str], bool]:
        """Rotated by 90°, and declared as stored, or not declared."""
        possible = ["stored_pixels", "declared_size", "shown_pixels"]
        declared = [claim for claim in claims if claim.declared]
        if not declared:
            return self.undeclared(claims)
        if labelled_in_label_studio(declared) or all(claim.relative for claim in declared):
            return "declared_size", possible[:2], False
        return "stored_pixels", possible[:2], False

    def undeclared(self, claims: list[SizeClaim]) -> tuple[str, list[str], bool]:
        """Rotated, in a format without sizes: judged by the boxes that exceed the image."""
        possible = ["shown_pixels", "stored_pixels"]
        labelled = [claim for claim in claims if claim.boxes]
        out = Counter(
            way
            for claim in labelled
            for way, size in (("shown_pixels", claim.displayed.size), ("stored_pixels", claim.displayed.stored))
            if not claim.within(size)
        )
        if out["shown_pixels"] > out["stored_pixels"]:
            return "stored_pixels", possible, not out["stored_pixels"] and out["shown_pixels"] > 1
        return "shown_pixels", possible, out["stored_pixels"] > 0 or not labelled

    def half_turned(self, claims: list[SizeClaim]) -> tuple[str, list[str], bool]:
        """Mirrored or upside down: the sizes do not differ; rotated images from the same tool may decide."""
        possible = ["shown_pixels", "stored_pixels"]
        beside = self.claims.get("turned")
        if beside:
            way, _ = self.way("turned", beside)
            return ("stored_pixels" if way == "stored_pixels" else "shown_pixels"), possible, True
        return "shown_pixels", possible, self.obeyed > 0 or not any(claim.boxes for claim in claims)

    def swapped(self, claims: list[SizeClaim]) -> tuple[str, list[str], bool]:
        """Width and height swapped, without a rotation: a tool that confuses them, or an image that was rotated after
        annotation.
        """
        return self.by_reach(claims, "shown_pixels", certain=False)

    def scaled(self, claims: list[SizeClaim]) -> tuple[str, list[str], bool]:
        """The same aspect ratio: resized after annotation."""
        return self.by_reach(claims, "declared_size", certain=True)

    def reshaped(self, claims: list[SizeClaim]) -> tuple[str, list[str], bool]:
        return self.by_reach(claims, "declared_size", certain=False)

    def by_reach(self, claims: list[SizeClaim], usual: str, certain: bool) -> tuple[str, list[str], bool]:
        out = {
            "declared_size": sum(not claim.within(claim.declared) for claim in claims),
            "shown_pixels": sum(not claim.within(claim.displayed.size) for claim in claims),
        }
        possible = sorted(out, key=lambda way: (out[way], way != usual))
        likely = possible[0] if out[possible[0]] < out[usual] else usual
        decided = out[possible[1]] > max(1, len(claims) // 10) and not out[possible[0]]
        return likely, possible, (certain and likely == usual) or (decided and usual != "shown_pixels")

    def report(self, claims: list[SizeClaim], way: str, alternatives: list[str], count: int) -> Decision:
        labelled = [claim for claim in claims if claim.boxes] or claims
        examples = [
            example(claim.image, {name: drawn(claim, name) for name in [way, *alternatives]}) for claim in labelled[:6]
        ]
        one = next((claim for claim in labelled if claim.declared), labelled[0])
        data = {
            "count": count,
            "declared": sides(one.declared or one.displayed.stored),
            "size": sides(one.displayed.size),
        }
        return reading("size", way, alternatives, self.options, examples, **data)


def sides(size: Size) -> str:
    return f"{size[0]} × {size[1]}"


def drawn(claim: SizeClaim, way: str) -> list[DrawnObject]:
    """The boxes of an image, drawn in a reading."""
    frame = claim.frame(way)
    width, height = frame.size
    boxes = []
    for number, box in claim.boxes:
        left, top, right, bottom = frame.box(box)
        values = (
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        boxes.append(drawn_box(number, values))
    return boxes


def labelled_in_label_studio(claims: Sequence[SizeClaim]) -> bool:
    """Whether the images have Label Studio's names: it multiplies by the sides of the stored image."""
    named = sum(bool(LABEL_STUDIO.match(claim.image.rpartition("/")[2])) for claim in claims)
    return named > 0.9 * len(claims)
