"""Draws the sample dataset, a ZIP of circles, squares and triangles with YOLO labels.

`spec.json`: `output` (the ZIP to write), `train` and `val` (images), `size` (pixels), `seed`. The same spec gives the
same bytes.
"""

import io
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from app.core.programs import SampleResult, SampleSpec
from app.worker.channel import Channel
from app.worker.progress import ProgressReporter

CLASSES = ("circle", "square", "triangle")
DATA_YAML = "train: images/train\nval: images/val\nnames:\n" + "".join(
    f"  {number}: {name}\n" for number, name in enumerate(CLASSES)
)
MIN_SHAPES, MAX_SHAPES = 3, 5
SMALLEST, LARGEST = 0.13, 0.2  # radius, as a fraction of the image's side
SMOOTH = 2  # supersampling factor
TILT = math.radians(5)
CONTRAST = 140  # minimum distance between a shape's color and its background's
NOISE = 6
EPOCH = (1980, 1, 1, 0, 0, 0)  # a constant timestamp, so that the bytes do not depend on the time


@dataclass(frozen=True)
class SampleShape:
    """A regular shape in a circle of `radius` around (x, y), in pixels, rotated by `tilt` radians."""

    kind: int  # index in CLASSES
    x: float
    y: float
    radius: float
    tilt: float
    colour: tuple[int, int, int]

    def corners(self) -> list[tuple[float, float]]:
        """Its corners; none for a circle."""
        count = (0, 4, 3)[self.kind]
        upright = (0.0, math.pi / 4, -math.pi / 2)[self.kind]
        turns = [upright + self.tilt + 2 * math.pi * number / count for number in range(count)]
        return [(self.x + self.radius * math.cos(turn), self.y + self.radius * math.sin(turn)) for turn in turns]

    def box(self) -> tuple[float, float, float, float]:
        """The smallest box around it: x1, y1, x2, y2."""
        if self.kind == 0:
            return (self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)
        xs, ys = zip(*self.corners(), strict=True)
        return (min(xs), min(ys), max(xs), max(ys))

    def label(self, size: int) -> str:
        """Its line in a YOLO label file."""
        x1, y1, x2, y2 = (value / size for value in self.box())
        return f"{self.kind} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"

    def draw(self, pen: ImageDraw.ImageDraw) -> None:
        if self.kind == 0:
            pen.ellipse([SMOOTH * value for value in self.box()], fill=self.colour)
        else:
            pen.polygon([(SMOOTH * x, SMOOTH * y) for x, y in self.corners()], fill=self.colour)


def draw_random_shapes(rng: np.random.Generator, size: int, background: np.ndarray) -> list[SampleShape]:
    """Three to five shapes that do not touch each other or the edge, in contrasting colors."""
    shapes: list[SampleShape] = []
    count = int(rng.integers(MIN_SHAPES, MAX_SHAPES + 1))
    for _ in range(100):
        radius = size * rng.uniform(SMALLEST, LARGEST)
        x, y = rng.uniform(radius + 1, size - radius - 1, 2)
        if all(math.hypot(x - other.x, y - other.y) > radius + other.radius + 2 for other in shapes):
            colour = contrasting(rng, background)
            kind, tilt = int(rng.integers(len(CLASSES))), rng.uniform(-TILT, TILT)
            shapes.append(SampleShape(kind, float(x), float(y), float(radius), float(tilt), colour))
        if len(shapes) == count:
            break
    return shapes


def contrasting(rng: np.random.Generator, background: np.ndarray) -> tuple[int, int, int]:
    """A color far enough from the background's."""
    while True:
        colour = rng.integers(0, 180, 3)
        if np.linalg.norm(colour - background) >= CONTRAST:
            return (int(colour[0]), int(colour[1]), int(colour[2]))


def draw_image(rng: np.random.Generator, size: int) -> tuple[bytes, str]:
    """A JPEG and its label file: shapes on a shaded background, with noise over all."""
    background = rng.integers(190, 231) + rng.integers(-12, 13, 3)
    canvas = Image.new("RGB", (size * SMOOTH, size * SMOOTH), tuple(int(value) for value in background))
    pen = ImageDraw.Draw(canvas)
    shapes = draw_random_shapes(rng, size, background)
    for shape in shapes:
        shape.draw(pen)
    pixels = np.asarray(canvas.resize((size, size), Image.Resampling.BOX), dtype=np.int16)
    light = np.linspace(rng.integers(-12, 13), rng.integers(-12, 13), size).astype(np.int16)[:, None, None]
    noise = rng.integers(-NOISE, NOISE + 1, pixels.shape, dtype=np.int16)
    picture = Image.fromarray(np.clip(pixels + light + noise, 0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), "".join(shape.label(size) for shape in shapes)


def dataset_files(spec: SampleSpec) -> Iterator[tuple[str, bytes]]:
    """The files of the dataset, by name, in YOLO layout. Numbers continue across the sets, since the import renames
    images with equal names.
    """
    yield "data.yaml", DATA_YAML.encode()
    first = 0
    for index, (split, images) in enumerate({"train": spec.train, "val": spec.val}.items()):
        rng = np.random.default_rng([spec.seed, index])
        numbers, first = range(first, first + images), first + images
        for number in numbers:
            image, label = draw_image(rng, spec.size)
            yield f"images/{split}/{number:04}.jpg", image
            yield f"labels/{split}/{number:04}.txt", label.encode()


def write_zip(spec: SampleSpec, step: Callable[[], None]) -> None:
    """Write the ZIP atomically; `step` is called after each image."""
    output = Path(spec.output)
    draft = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with open(draft, "wb") as file:
            with zipfile.ZipFile(file, "w") as archive:  # stored: JPEGs do not shrink
                for name, content in dataset_files(spec):
                    archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
                    if name.endswith(".jpg"):
                        step()
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, output)
    finally:
        draft.unlink(missing_ok=True)


def run(channel: Channel) -> SampleResult:
    """Draw the sample dataset of the spec."""
    spec = SampleSpec.of(channel.spec)
    write_zip(spec, ProgressReporter(channel, spec.train + spec.val).step)
    return {"output": spec.output}
