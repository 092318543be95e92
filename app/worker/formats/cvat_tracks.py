"""Tracks of CVAT's "for video" XML: which image is which frame, and what lies between two frames that are written."""

import re
from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import pairwise

from app.worker.formats.drafts import Shape
from app.worker.formats.model import Decision, Refused, decision
from app.worker.formats.paths import below, folder_of, shown, stem_of
from app.worker.formats.tree import Tree

NUMBER = re.compile(r"(\d+)\D*$")
MOST = 5_000_000  # objects of all frames


class Track:
    """One object through a video; `None` is a frame in which it is not seen."""

    def __init__(self, group: str | None) -> None:
        self.group = group
        self.at: dict[int, Shape | None] = {}

    def add(self, frame: int, shape: Shape | None) -> None:
        self.at[frame] = shape

    def shapes(self, frames: list[int]) -> dict[int, Shape]:
        """The object in these frames (sorted) where it is seen: as written, and on its way between two frames."""
        written = sorted(self.at)
        made = {frame: shape for frame, shape in self.at.items() if shape}
        for first, last in pairwise(written):
            start = self.at[first]
            if start is None or last == first + 1:
                continue
            end = self.at[last]
            for frame in frames[bisect_right(frames, first) : bisect_left(frames, last)]:
                made[frame] = between(start, end, (frame - first) / (last - first))
        return made


def between(start: Shape, end: Shape | None, share: float) -> Shape:
    """A shape on its way to the next one; it stays where that is none, or has other points."""
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


class Frames:
    """The images of a video by the number of their frame.

    CVAT names them frame_000012; others count from 1 or have names of their own, which then are in the frames' order.
    """

    def __init__(
        self,
        tree: Tree,
        root: str,
        path: str,
        meta: dict[str, int],
        tracks: list[Track],
        taken: set[str],
        folder: str | None = None,
    ) -> None:
        self.decisions: list[Decision] = []
        self.tracks = tracks
        free = [image for image in tree["image"] if image not in taken]
        if folder is not None:
            free = [image for image in free if below(image, folder)]
        near = [image for image in free if below(image, folder_of(path))]
        images = near or [image for image in free if below(image, root)] or free
        written = [frame for track in tracks for frame in track.at]
        last = max(written, default=0)
        size = meta.get("size") or last + 1
        self.images = self.numbered(images, last, size) or self.in_order(images, last, size)
        if not self.images and not taken:
            raise Refused("frames_unknown", file=shown(path), images=len(images), frames=size)

    def numbered(self, images: list[str], last: int, size: int) -> dict[int, str]:
        """By the number at the end of their names; none where these are not the frames' numbers."""
        found: dict[int, str] = {}
        for image in images:
            match = NUMBER.search(stem_of(image.rpartition("/")[2]))
            if match is None or len(match[1]) > 9 or int(match[1]) in found:
                return {}
            found[int(match[1])] = image
        if 0 not in found and 1 in found and max(found) == size > last:  # counted from 1, as ffmpeg does
            self.decisions.append(decision("reading_frames", None, None, first=shown(found[1]), count=len(found)))
            return {frame - 1: image for frame, image in found.items()}
        return found if any(frame <= last for frame in found) else {}

    def in_order(self, images: list[str], last: int, size: int) -> dict[int, str]:
        """By the order of their names, where there are as many as frames."""
        if len(images) != size or last >= size:
            return {}
        self.decisions.append(decision("reading_frames", None, None, first=shown(images[0]), count=len(images)))
        return dict(enumerate(images))

    def shapes(self) -> dict[int, list[tuple[str | None, Shape | None]]]:
        """The objects of each frame with their groups.

        Raises:
            Refused: there are more than can be kept.
        """
        frames, made, count = sorted(self.images), dict[int, list[tuple[str | None, Shape | None]]](), 0
        for track in self.tracks:
            for frame, shape in track.shapes(frames).items():
                made.setdefault(frame, []).append((track.group, shape))
                count += 1
            if count > MOST:
                raise Refused("objects_too_many", limit=MOST)
        return made
