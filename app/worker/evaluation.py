"""What the final validation shows of the best weights, as data: `evaluation/evaluation.json` in the training's folder.

Confusion matrix, curves over the confidence, the confidence with the best F1, and the images behind the errors, with
small pictures of them (`image-N.jpg`). Matching is that of ultralytics' ConfusionMatrix.process_batch: each prediction,
the surest first, takes the best free object above an IoU of 0.45, whatever its class. Its threshold is the confidence
with the best F1, which is also where precision and recall are reported.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from app.worker.files import put
from app.worker.measures import PARTS
from app.worker.shapes import as_shape, corners_of, place_of, save_picture, short, surest

LEAST_CONF = 0.05
MOST_FOUND = 100  # of an image
IOU = 0.45
POINTS = 101  # of a curve
CLASSES = 40  # with curves of their own: those with most objects
WORST = 24
OF_CELL, OF_RIGHT_CELL = 8, 2  # pictures of a cell off and on the diagonal
PICTURES = 240
PICTURES_S = 15.0  # seconds for them, at most

Pair = tuple[int, int]  # prediction and object of an image; -1: none


class Evaluation:
    """Hears the final validation, image by image, and writes down what follows from it.

    An image is kept as arrays, since there may be many: {"file", "class", "conf", "corners" of what was found, the
    surest first, "truth", "truth_corners", "iou" [objects, found] or None}.
    """

    def __init__(self, folder: Path, task: str) -> None:
        self.folder, self.task = folder, task
        self.images: list[dict[str, Any]] = []
        self.broken = False

    def hear(self, validator: Any, file: str, pred: Any, index: int, batch: dict[str, Any]) -> None:
        """One image: what was found, what is there, and how far they overlap."""
        if self.task == "classify":
            conf, kinds = (values.cpu().numpy() for values in pred.float().topk(min(3, len(pred))))
            truth = batch["cls"].reshape(-1)[index : index + 1].cpu().numpy()
            self.images.append({"file": file, "class": kinds, "conf": conf, "truth": truth, "iou": None})
            return
        there = validator._prepare_batch(index, batch)
        kept = surest({name: pred[name] for name in ("bboxes", "conf", "cls")}, LEAST_CONF, MOST_FOUND)
        place = place_of(index, batch)
        both = len(there["cls"]) and len(kept["cls"])
        self.images.append(
            {
                "file": file,
                "class": kept["cls"].int().cpu().numpy(),
                "conf": kept["conf"].float().cpu().numpy(),
                "corners": corners_of(kept["bboxes"], place).cpu().numpy(),
                "truth": there["cls"].int().cpu().numpy(),
                "truth_corners": corners_of(there["bboxes"], place).cpu().numpy(),
                "iou": overlaps(there["bboxes"], kept["bboxes"]) if both else None,
            }
        )

    def gather(self, rank: int) -> None:
        """Of several processes all images to rank 0. Each of them must call it."""
        import torch.distributed as dist

        gathered: list[Any] | None = [None] * dist.get_world_size() if rank == 0 else None
        dist.gather_object(self.images, gathered, dst=0)
        if gathered is not None:
            self.images = [image for images in gathered for image in images or ()]

    def write(self, metrics: Any, names: Sequence[str], measure: str) -> None:
        """Write everything down.

        Args:
            metrics: ultralytics', behind the validation. measure: the name of its main one, "mAP50(M)".
        """
        curves = None if self.task == "classify" else curves_of(getattr(metrics, PARTS[measure[-2:-1]]))
        best = curves and curves.pop("best")
        confidence = max(LEAST_CONF, best["confidence"]) if best else 0.0
        matched = [match(image, confidence, self.task) for image in self.images]
        cells = cells_of(self.images, matched, len(names))
        chosen, listed = self.choose(matched, cells)
        body = {
            "task": self.task,
            "names": list(names),
            "images": len(self.images),
            "objects": sum(len(image["truth"]) for image in self.images),
            "confidence": short(confidence),
            "iou": IOU,
            "best": best,
            "curves": curves,
            "accuracy": accuracy(metrics) if self.task == "classify" else None,
            "matrix": [[*cell, sum(counts.values())] for cell, counts in sorted(cells.items())],
            "cells": {f"{row},{column}": numbers for (row, column), numbers in listed.items()},
            "pictures": [self.picture(number, place, matched[place]) for place, number in chosen.items()],
            "worst": [chosen[place] for place in worst(matched) if place in chosen],
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        put(self.folder / "evaluation.json", lambda draft: draft.write_text(text, encoding="utf-8"))
        self.images = []

    def choose(self, matched: Sequence[dict[str, Any]], cells: Any) -> tuple[dict[int, int], dict[Any, Any]]:
        """The images that get a picture, as place → number; and the numbers behind each cell."""
        clear(self.folder)
        wanted = list(worst(matched))
        behind = {}
        for cell, counts in cells.items():
            most = OF_RIGHT_CELL if cell[0] == cell[1] else OF_CELL
            behind[cell] = sorted(counts, key=lambda place: -counts[place])[:most]
            wanted += behind[cell]
        chosen: dict[int, int] = {}
        until = time.monotonic() + PICTURES_S
        for place in dict.fromkeys(wanted):
            if len(chosen) >= PICTURES or time.monotonic() > until:
                break
            image = self.images[place]
            try:
                image["size"] = save_picture(Path(image["file"]), self.folder / f"image-{len(chosen)}.jpg")
            except (OSError, ValueError):  # it is gone meanwhile, or no longer readable
                continue
            chosen[place] = len(chosen)
        listed = {cell: [chosen[place] for place in places if place in chosen] for cell, places in behind.items()}
        return chosen, listed

    def picture(self, number: int, place: int, outcome: dict[str, Any]) -> dict[str, Any]:
        image = self.images[place]
        width, height = image["size"]
        rows = outcome["counted"]
        found: list[dict[str, Any]] = [
            {"class": int(image["class"][row]), "conf": short(image["conf"][row])} for row in rows
        ]
        truth: list[dict[str, Any]] = [{"class": int(kind)} for kind in image["truth"]]
        if "corners" in image:
            for shape, row in zip(found, rows, strict=True):
                shape |= as_shape(image["corners"][row].tolist())
            for shape, corners in zip(truth, image["truth_corners"].tolist(), strict=True):
                shape |= as_shape(corners)
        shown = {"number": number, "file": Path(image["file"]).name, "width": width, "height": height}
        return shown | {"found": found, "truth": truth, "pairs": outcome["pairs"], "errors": outcome["errors"]}


def overlaps(truth: Any, found: Any) -> Any:
    """IoU of each object (rows) with each prediction; of turned boxes their probabilistic IoU."""
    from ultralytics.utils.metrics import batch_probiou, box_iou

    return (batch_probiou if truth.shape[1] == 5 else box_iou)(truth, found).half().cpu().numpy()


def match(image: dict[str, Any], confidence: float, task: str) -> dict[str, Any]:
    """{"counted": the predictions that count, "pairs": (place among them, object), "errors": how many pairs are}."""
    kinds, truth, iou = image["class"], image["truth"], image["iou"]
    if task == "classify":
        return {"counted": list(range(len(kinds))), "pairs": [(0, 0)], "errors": int(kinds[0] != truth[0])}
    counted = [row for row, conf in enumerate(image["conf"]) if conf >= confidence]
    taken = {}
    if iou is not None and counted:
        iou = iou[:, counted].copy()
        for index in range(len(counted)):  # the surest first
            place = int(iou[:, index].argmax())
            if iou[place, index] > IOU:
                taken[index] = place
                iou[place] = 0.0
    pairs: list[Pair] = [(index, taken.get(index, -1)) for index in range(len(counted))]
    pairs += [(-1, place) for place in range(len(truth)) if place not in taken.values()]
    errors = sum(index < 0 or place < 0 or kinds[counted[index]] != truth[place] for index, place in pairs)
    return {"counted": counted, "pairs": pairs, "errors": int(errors)}


def cells_of(images: Sequence[Any], matched: Sequence[Any], classes: int) -> dict[tuple[int, int], Counter[int]]:
    """(predicted, true) → how often in which image; the number of classes stands for "nothing"."""
    cells: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for place, (image, outcome) in enumerate(zip(images, matched, strict=True)):
        for index, there in outcome["pairs"]:
            row = int(image["class"][outcome["counted"][index]]) if index >= 0 else classes
            column = int(image["truth"][there]) if there >= 0 else classes
            cells[row, column][place] += 1
    return dict(cells)


def worst(matched: Sequence[dict[str, Any]]) -> Iterable[int]:
    """The places of the images with most errors."""
    wrong = [place for place, outcome in enumerate(matched) if outcome["errors"]]
    return sorted(wrong, key=lambda place: -matched[place]["errors"])[:WORST]


def curves_of(part: Any) -> dict[str, Any] | None:
    """Curves of ultralytics' measures of boxes, masks or keypoints, at POINTS places; None where nothing was found.

    "x": the confidence, and for `pr` the recall. "best": the confidence with the best mean F1, smoothed as ultralytics
    smooths it, and what the curves say there.
    """
    import numpy as np
    from ultralytics.utils.metrics import smooth

    curves = {"precision": part.p_curve, "recall": part.r_curve, "f1": part.f1_curve, "pr": part.prec_values}
    if not len(part.ap_class_index) or any(len(curve) == 0 for curve in curves.values()):
        return None
    places = np.linspace(0, len(part.px) - 1, POINTS).round().astype(int)
    peak = int(smooth(part.f1_curve.mean(0), 0.1).argmax())
    mean = {name: curve.mean(0) for name, curve in curves.items()}
    return {
        "x": rounded(np.asarray(part.px)[places]),
        **{name: rounded(curve[places]) for name, curve in mean.items()},
        "classes": [
            {"class": int(index), **{name: rounded(curve[row][places]) for name, curve in curves.items()}}
            for row, index in enumerate(part.ap_class_index[:CLASSES])
        ],
        "best": {"confidence": short(part.px[peak])}
        | {name: short(mean[name][peak]) for name in ("precision", "recall", "f1")},
    }


def rounded(values: Any) -> list[float]:
    return [short(value) for value in values.tolist()]


def accuracy(metrics: Any) -> dict[str, float]:
    return {"top1": short(metrics.top1), "top5": short(metrics.top5)}


def clear(folder: Path) -> None:
    """Pictures of an earlier end, before the run was extended."""
    for path in folder.glob("image-*.jpg"):
        path.unlink(missing_ok=True)
