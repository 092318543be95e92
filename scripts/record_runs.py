"""Makes the recorded trainings that the coach's rules are tested on: real runs on the CPU, a minute or two each.

    .venv/bin/python -m scripts.record_runs [NAME ...]

Writes tests/recorded/NAME.json: `about`, `epochs_planned`, `names` and `epochs` with the fields of table
training_metric. The values depend on the machine; a repeated recording has the same course with other digits.
"""

import argparse
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.config import ROOT
from app.core.train import UltralyticsArguments
from app.events import finite
from scripts.drawing import draw

OUTPUT = ROOT / "tests" / "recorded"
CLASSES = ("circle", "square", "triangle")
BASE: UltralyticsArguments = {
    "imgsz": 96,
    "batch": 16,
    "optimizer": "AdamW",
    "lr0": 0.003,
    "mosaic": 0.0,
    "warmup_epochs": 1,
    "cache": "ram",
    "epochs": 20,
}
STILL: UltralyticsArguments = {"hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0, "translate": 0.0, "scale": 0.0, "fliplr": 0.0}


@dataclass(frozen=True)
class Run:
    """What to train on, and how. `prepare` changes the drawn dataset; `flat_after`: the learning rate is constant from
    there on.
    """

    about: str
    train: int = 240
    val: int = 60
    size: int = 192
    changes: UltralyticsArguments = field(default_factory=dict)
    prepare: Callable[[Path], None] = lambda folder: None
    flat_after: int | None = None


def forget_triangles(folder: Path) -> None:
    """Remove the triangles' labels from all training images but one."""
    has_one = False
    for path in sorted((folder / "labels" / "train").glob("*.txt")):
        lines = path.read_text().splitlines()
        remaining = [line for line in lines if not line.startswith("2 ")]
        if has_one:
            path.write_text("".join(line + "\n" for line in remaining))
        has_one = has_one or len(remaining) < len(lines)


def enlarge(folder: Path) -> None:
    """Enlarge the images to photographs of 6 megapixels."""
    import cv2

    for path in (folder / "images").rglob("*.jpg"):
        image = cv2.resize(cv2.imread(str(path)), (2400, 2400), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 92])


RUNS = {
    "healthy": Run("240 drawn images, a fitting learning rate: the curves go where they should"),
    "overfitting": Run(
        "16 training images, no augmentation, many epochs at the full learning rate",
        16,
        40,
        changes={"epochs": 150, "batch": 4, "nbs": 4, "lrf": 1.0} | STILL,
    ),
    "plateau": Run(
        "the learning rate has fallen to almost nothing by epoch 12 and stays there, as in a run that was extended",
        160,
        40,
        changes={"epochs": 60, "lrf": 0.0005},
        flat_after=12,
    ),
    "diverging": Run("AdamW with learning rate 1", 80, 20, changes={"lr0": 1.0, "epochs": 8}),
    "class_never_predicted": Run(
        "triangles are not labelled in the training images, but for one", prepare=forget_triangles
    ),
    "learning_rate_high": Run("a learning rate twenty times too high", changes={"lr0": 0.06, "epochs": 15}),
    "diverging_sgd": Run(
        "SGD with learning rate 0.9: the loss explodes, then the model finds nothing at all",
        160,
        40,
        changes={"optimizer": "SGD", "lr0": 0.9, "epochs": 15, "nbs": 16},
    ),
    "learning_rate_high_sgd": Run(
        "SGD whose steps are too large: the loss goes up and down",
        160,
        40,
        changes={"optimizer": "SGD", "lr0": 0.25, "epochs": 15, "nbs": 16},
    ),
    "loader_bound": Run(
        "photographs of 6 megapixels, trained at 64 pixels; more of them than ultralytics keeps in memory",
        160,
        16,
        changes={"imgsz": 64, "batch": 8, "cache": False, "epochs": 8},
        prepare=enlarge,
    ),
}


def draw_for(folder: Path, run: Run) -> Path:
    """Draw and unpack the dataset; returns its data.yaml."""
    archive = draw(folder / "sample", train=run.train, val=run.val, size=run.size)
    data = folder / "data"
    shutil.unpack_archive(archive, data)
    run.prepare(data)
    path = data / "data.yaml"
    path.write_text(f"path: {data}\n{path.read_text()}")
    return path


def recorder(run: Run, epochs: list[dict[str, object]]) -> type:
    """A trainer class that appends each epoch to the list."""
    from ultralytics.models.yolo.detect import DetectionTrainer

    class Recorder(DetectionTrainer):
        waited = trained = 0.0

        def get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
            loader = super().get_dataloader(*args, **kwargs)
            if kwargs.get("mode", "train") == "train":
                iterate = type(loader).__iter__
                loader.__class__ = type(
                    "Timed", (type(loader),), {"__iter__": lambda loader_self: self.timed(iterate(loader_self))}
                )
            return loader

        def timed(self, batches: Any) -> Any:
            self.waited = 0.0
            while True:
                began = time.perf_counter()
                batch = next(batches, None)
                self.waited += time.perf_counter() - began
                if batch is None:
                    self.trained = time.time() - self.epoch_time_start
                    return
                yield batch

        def _setup_scheduler(self) -> None:
            super()._setup_scheduler()
            if run.flat_after is not None:
                import torch

                last = self.args.lrf
                self.lf = lambda x: max(1 - x / run.flat_after, 0) * (1 - last) + last
                self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lr_lambda=self.lf)

        def save_metrics(self, metrics: dict[str, float]) -> None:
            super().save_metrics(metrics)
            epochs.append(measures(self))
            print(json.dumps(finite(epochs[-1])), flush=True)

    return Recorder


def measures(trainer: Any) -> dict[str, object]:
    """The fields of table training_metric, with the worker's values."""
    parts = trainer.label_loss_items(trainer.tloss, prefix="train")
    parts |= {key: float(value) for key, value in trainer.metrics.items() if key.startswith("val/")}
    seconds = time.time() - trainer.epoch_time_start
    metrics = {key.removeprefix("metrics/"): float(value) for key, value in trainer.metrics.items()}
    weights = [group for group in trainer.optimizer.param_groups if group.get("param_group") == "weight"]
    timing = {"load": trainer.waited, "train": trainer.trained, "val": seconds - trainer.trained}
    body = {
        "epoch": trainer.epoch + 1,
        "loss": sum(float(value) for key, value in parts.items() if key.startswith("train/")),
        "val_loss": sum(value for key, value in parts.items() if key.startswith("val/")),
        "precision": metrics["precision(B)"],
        "recall": metrics["recall(B)"],
        "map50": metrics["mAP50(B)"],
        "map95": metrics["mAP50-95(B)"],
        "fitness": float(trainer.fitness),
        "learning_rate": float((weights or trainer.optimizer.param_groups)[0]["lr"]),
        "seconds": seconds,
    }
    return rounded(body | {"parts": parts, "timing": timing, "classes": by_class(trainer.validator.metrics)})


def by_class(metrics: Any) -> list[dict[str, float]]:
    return [
        dict(zip(("precision", "recall", "ap50", "ap95"), map(float, metrics.class_result(position)), strict=True))
        | {"class": int(index), "instances": int(metrics.nt_per_class[index])}
        for position, index in enumerate(metrics.ap_class_index)
    ]


def rounded(value: Any) -> Any:
    """Rounded to five significant digits; None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def record(name: str, folder: Path) -> None:
    run, epochs = RUNS[name], []
    data = draw_for(folder, run)
    arguments = BASE | run.changes
    fixed = {"model": "yolov8n.yaml", "data": str(data), "project": str(folder), "name": "run", "device": "cpu"}
    quiet = {"plots": False, "verbose": False, "seed": 0, "patience": 0}
    try:
        recorder(run, epochs)(overrides=arguments | fixed | quiet).train()
    except RuntimeError as error:  # a loss that stays NaN ends the run: the epochs recorded until then count
        print(f"{name}: {error}")
    body = {"about": run.about, "epochs_planned": arguments["epochs"], "names": list(CLASSES), "arguments": arguments}
    lines = ",\n".join("  " + json.dumps(rounded(finite(epoch))) for epoch in epochs)
    text = json.dumps(body, indent=1).removesuffix("\n}") + f',\n "epochs": [\n{lines}\n ]\n}}\n'
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(RUNS), metavar="NAME", help=", ".join(RUNS))
    for name in parser.parse_args().names:
        with tempfile.TemporaryDirectory(prefix="record-") as folder:
            os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": folder}
            record(name, Path(folder))


if __name__ == "__main__":
    main()
