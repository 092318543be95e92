"""Tracks of CVAT's "for video" XML: the mapping of images to frames, and interpolation between key frames."""

import math
import re
from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import pairwise

from app.core.names import printable_name
from app.core.report import Example
from app.core.shapes import DrawnObject
from app.worker.formats import box_numbers
from app.worker.formats.drafts import DraftShape
from app.worker.formats.model import Decision, InvalidInput, Options
from app.worker.formats.paths import below, folder_of, stem_of
from app.worker.formats.readings import drawn_box, example, reading, spread
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

NUMBER = re.compile(r"(\d+)\D*$")
MOST = 5_000_000  # objects over all frames


class Track:
    """One object in a video; `None`: not visible in this frame."""

    def __init__(self, group: str | None) -> None:
        self.group = group
        self.at: dict[int, DraftShape | None] = {}

    def add(self, frame: int, shape: DraftShape | None) -> None:
        self.at[frame] = shape

    def shapes(self, frames: list[int]) -> dict[int, DraftShape]:
        """The object in those of these frames (sorted) where it is visible: key frames, and interpolated ones."""
        written = sorted(self.at)
        shapes = {frame: shape for frame, shape in self.at.items() if shape}
        for first, last in pairwise(written):
            start = self.at[first]
            if start is None or last == first + 1:
                continue
            end = self.at[last]
            for frame in frames[bisect_right(frames, first) : bisect_left(frames, last)]:
                shapes[frame] = between(start, end, (frame - first) / (last - first))
        return shapes


def between(start: DraftShape, end: DraftShape | None, share: float) -> DraftShape:
    """A shape interpolated towards the next one; unchanged if there is none, or if the number of points differs."""
    if end is None or end.kind != start.kind or len(end.values) != len(start.values):
        return start
    if start.marks and len(start.marks) != len(end.marks):
        return start
    values = tuple(a + (b - a) * share for a, b in zip(start.values, end.values, strict=True))
    marks = tuple(
        (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2])
        for a, b in zip(start.marks, end.marks, strict=False)
    )
    return replace(start, values=values, marks=marks)


class FrameImages:
    """The images of a video by frame number.

    CVAT names them frame_000012; others count from 1 or have their own names, assumed to be in the frames' order.

    Args:
        tracks: of the video.
        used: images that already have annotations.
        folder: of its images; None: near the file.

    Raises:
        InvalidInput: the images cannot be mapped to frames.
    """

    def __init__(
        self,
        tree: Tree,
        root: str,
        path: str,
        meta: dict[str, int],
        tracks: list[Track],
        used: set[str],
        options: Options,
        folder: str | None = None,
    ) -> None:
        self.tree, self.tracks = tree, tracks
        self.decisions: list[Decision] = []
        free = [image for image in tree["image"] if image not in used]
        if folder is not None:
            free = [image for image in free if below(image, folder)]
        beside = [image for image in free if below(image, folder_of(path))]
        images = beside or [image for image in free if below(image, root)] or free
        written = [frame for track in tracks for frame in track.at]
        last = max(written, default=0)
        size = meta.get("size") or last + 1
        ways = possible(images, last, size)
        self.images: dict[int, str] = next(iter(ways.values()), {})
        if not ways and not used:
            raise InvalidInput("frames_unknown", file=printable_name(path), images=len(images), frames=size)
        self.choose(ways, options)

    def choose(self, ways: dict[str, dict[int, str]], options: Options) -> None:
        """Choose the mapping that a person selected, otherwise the likeliest; a decision reports it if it is
        uncertain.
        """
        chosen = options.chosen("frames")
        if not ways or (chosen is None and next(iter(ways)) == "frames_from_zero"):
            return
        way = chosen if chosen in ways else next(iter(ways))
        self.images = ways[way]
        alternatives = [name for name in ways if name != way]
        first = printable_name(self.images[min(self.images)])
        self.decisions.append(reading("frames", way, alternatives, options, self.examples(ways), first=first))

    def examples(self, ways: dict[str, dict[int, str]]) -> list[Example]:
        """Some images with their boxes in each mapping."""
        written = {frame for track in self.tracks for frame, shape in track.at.items() if shape}
        images = spread([image for frame, image in self.images.items() if frame in written] or [*self.images.values()])
        frames = {way: {image: frame for frame, image in by_frame.items()} for way, by_frame in ways.items()}
        return [
            example(image, {way: self.drawn(image, frame_of.get(image)) for way, frame_of in frames.items()})
            for image in images
        ]

    def drawn(self, image: str, frame: int | None) -> list[DrawnObject]:
        size = image_size(self.tree.path(image))
        if frame is None or size is None:
            return []
        boxes = [shape.box() for track in self.tracks for shape in track.shapes([frame]).values() if shape]
        return [
            drawn_box(0, box_numbers.centred([value / size[at % 2] for at, value in enumerate(box)], "corners"))
            for box in boxes
            if all(map(math.isfinite, box))
        ]

    def shapes(self) -> dict[int, list[tuple[str | None, DraftShape | None]]]:
        """The objects of each frame with their groups.

        Raises:
            InvalidInput: there are too many.
        """
        frames, by_frame, count = sorted(self.images), dict[int, list[tuple[str | None, DraftShape | None]]](), 0
        for track in self.tracks:
            for frame, shape in track.shapes(frames).items():
                by_frame.setdefault(frame, []).append((track.group, shape))
                count += 1
            if count > MOST:
                raise InvalidInput("objects_too_many", limit=MOST)
        return by_frame


def possible(images: list[str], last: int, size: int) -> dict[str, dict[int, str]]:
    """The possible mappings from frames to images, likeliest first.

    Args:
        last: the last annotated frame.
        size: the number of frames.
    """
    numbers = numbers_in(images)
    ways: dict[str, dict[int, str]] = {}
    if numbers and 0 not in numbers and 1 in numbers:  # counted from 1, as ffmpeg does
        ways["frames_from_one"] = {frame - 1: image for frame, image in numbers.items()}
    if any(frame <= last for frame in numbers):
        ways["frames_from_zero"] = numbers
    if len(images) == size and last < size:
        ordered = dict(enumerate(images))
        if ordered not in ways.values():
            ways["frames_in_order"] = ordered
    if "frames_from_zero" in ways and not (numbers and max(numbers) == size > last):
        ways = {"frames_from_zero": numbers} | ways
    return ways


def numbers_in(images: list[str]) -> dict[int, str]:
    """The images by the number at the end of their names; empty if one is missing, or repeated."""
    numbers: dict[int, str] = {}
    for image in images:
        match = NUMBER.search(stem_of(image.rpartition("/")[2]))
        if match is None or len(match[1]) > 9 or int(match[1]) in numbers:
            return {}
        numbers[int(match[1])] = image
    return numbers
