"""A fixed set of validation images, with the model's predictions after each epoch: `previews/` in the training's
folder.

Costs no inference: the epoch's validation predicts them anyway, and its results are recorded. `index.json` has the
images and their objects; `index-copy.json` is its backup; `image-N.jpg` are thumbnails; `epoch-N.json` has the
predictions.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from app.core.files import atomic_write
from app.core.previews import MAX_MASKS, MAX_SHAPES, PreviewImage, PreviewIndex
from app.core.shapes import Shape
from app.worker.shapes import Batch, labelled_shapes, predicted_shapes, save_picture, short, top_by_confidence

INDEX, COPY = "index.json", "index-copy.json"
IMAGES = 12
LOOKED_AT = 2_000  # candidate images
CROWD = 40  # objects: a fuller image would be illegible
LEAST_CONF = 0.05
MOST_EPOCHS = 150  # approximately; the first, the latest and the best are always retained


class Previews:
    """Selects the images, records the validation's detections in them, and writes the files.

    Args:
        folder: `previews` of the training. task, names: of the model. epochs: of the entire run.
    """

    def __init__(self, folder: Path, task: str, names: Sequence[str], epochs: int) -> None:
        self.folder, self.task, self.names = folder, task, names
        self.step = max(1, -(-epochs // MOST_EPOCHS))
        self.numbers: dict[str, int] = {}  # file of an image → its number here
        self.detections: dict[int, list[Shape]] = {}

    def choose(self, dataset: Any, order: Sequence[int], seed: int, first: int) -> None:
        """Select the images and write their thumbnails.

        Args:
            dataset: of the validation. order: indexes of the images that this process validates, in order.
            first: the epoch at which the run begins or resumes; previews of this and later epochs will be written
                again.
        """
        labels = truths(dataset, order)
        chosen = spread([kinds for _, kinds in labels], seed)
        files = [Path(labels[index][0]) for index in chosen]
        self.numbers = {str(file): number for number, file in enumerate(files)}
        existing = self.read_index() if first > 1 else None
        if existing and [image["file"] for image in existing["images"]] == [file.name for file in files]:
            self.write_index(existing)
            drop(self.folder, first)
            return
        drop(self.folder, 1)
        images: list[PreviewImage] = []
        for number, (file, index) in enumerate(zip(files, chosen, strict=True)):
            width, height = save_picture(file, self.folder / f"image-{number}.jpg")
            images.append({"file": file.name, "width": width, "height": height, "truth": truth(dataset, order[index])})
        self.write_index({"task": self.task, "names": list(self.names), "images": images})

    def write_index(self, index: PreviewIndex) -> None:
        for name in (COPY, INDEX):
            self.write(name, index)

    def read_index(self) -> PreviewIndex | None:
        """The existing index, or its copy; None if neither can be read."""
        for name in (INDEX, COPY):
            try:
                index = json.loads((self.folder / name).read_text(encoding="utf-8"))
                if all(isinstance(image["file"], str) for image in index["images"]):
                    return cast(PreviewIndex, index)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return None

    def add_image(self, file: str, pred: Any, index: int, batch: Batch) -> None:
        """Record the detections in one image of the validation."""
        number = self.numbers.get(file)
        if number is None:
            return
        if self.task == "classify":
            self.detections[number] = guesses(pred)
        else:
            most = MAX_MASKS if "masks" in pred else MAX_SHAPES
            self.detections[number] = predicted_shapes(top_by_confidence(pred, LEAST_CONF, most), index, batch)

    def end_epoch(self, epoch: int) -> None:
        """Write the detections recorded since the last epoch."""
        detected, self.detections = self.detections, {}
        if detected:
            images = [detected.get(number, []) for number in range(len(self.numbers))]
            self.write(f"epoch-{epoch}.json", {"epoch": epoch, "images": images})

    def thin_out(self, epoch: int, best: int) -> None:
        """Delete epochs of a long run, evenly spaced."""
        for number, path in written(self.folder).items():
            if number % self.step and number not in {1, epoch, best}:
                path.unlink(missing_ok=True)

    def write(self, name: str, body: Mapping[str, object]) -> None:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        atomic_write(self.folder / name, lambda draft: draft.write_text(text, encoding="utf-8"))


def truths(dataset: Any, order: Sequence[int]) -> list[tuple[str, list[int]]]:
    """File and classes of the first images of the validation, in order."""
    if hasattr(dataset, "samples"):
        return [(str(dataset.samples[index][0]), [int(dataset.samples[index][1])]) for index in order[:LOOKED_AT]]
    return [
        (str(dataset.im_files[index]), [int(kind) for kind in dataset.labels[index]["cls"].reshape(-1).tolist()])
        for index in order[:LOOKED_AT]
    ]


def truth(dataset: Any, index: int) -> list[Shape]:
    """The objects of one image."""
    if hasattr(dataset, "samples"):
        return [{"class": int(dataset.samples[index][1])}]
    return labelled_shapes(dataset.labels[index])


def spread(images: Sequence[Sequence[int]], seed: int, count: int = IMAGES) -> list[int]:
    """Indexes of images with as many classes as possible, in similar numbers; deterministic for a seed.

    Args:
        images: the classes of the objects in each.
    """
    indices = list(range(len(images)))
    random.Random(seed).shuffle(indices)  # noqa: S311 (no secret)
    indices.sort(key=lambda index: not 0 < len(images[index]) <= CROWD)  # a stable sort: empty and crowded images last
    counts: Counter[int] = Counter()
    chosen: list[int] = []
    while indices and len(chosen) < count:
        best = max(indices, key=lambda index: worth(images[index], counts))
        indices.remove(best)
        chosen.append(best)
        counts.update(set(images[best]))
    return chosen


def worth(kinds: Sequence[int], counts: Counter[int]) -> float:
    """Larger for classes with fewer images so far; an empty or crowded image is a last resort."""
    if not 0 < len(kinds) <= CROWD:
        return -1.0
    return sum(4.0 ** -counts[kind] for kind in set(kinds))


def guesses(probabilities: Any) -> list[Shape]:
    """The three most confident classes of an image."""
    values, kinds = probabilities.float().topk(min(3, len(probabilities)))
    return [
        {"class": int(kind), "conf": short(value)} for value, kind in zip(values.tolist(), kinds.tolist(), strict=True)
    ]


def written(folder: Path) -> dict[int, Path]:
    """The epochs with previews."""
    matches = ((re.fullmatch(r"epoch-(\d+)\.json", path.name), path) for path in folder.glob("epoch-*.json"))
    return {int(match[1]): path for match, path in matches if match}


def drop(folder: Path, first: int) -> None:
    """Delete epochs from `first` on, since the run resumes before them."""
    for number, path in written(folder).items():
        if number >= first:
            path.unlink(missing_ok=True)
