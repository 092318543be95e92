"""The spec of the program that evaluates: `spec.json` of app/worker/programs/evaluate.py."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.spec import Spec

CONCLUDED = "concluded"  # the stage behind which the results of a stopped run are there


@dataclass(frozen=True)
class EvaluateSpec(Spec):
    """One evaluation.

    Args:
        weights: the model file.
        data: our dataset.yaml; its folder is the revision's.
        img_size: None: what the model was made for.
        classes: the dataset's class → the model's, None: left out; without any, they are the model's in their order.
        device: as ultralytics takes it, numbered among those that the program sees.
        output: the folder to write.
        batch: images at a time.
        memory_limit: bytes; 0: none.
        conclude: whether the run was stopped, and its own results are to be written first.
    """

    weights: str
    data: str
    task: str
    split: str
    img_size: int | None
    classes: Mapping[str, str | None] | None
    device: str
    output: str
    batch: int
    memory_limit: int
    conclude: bool = False
