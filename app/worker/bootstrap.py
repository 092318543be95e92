"""Confidence intervals by bootstrap over the images of a measurement."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.core.programs import Difference

ROUNDS = 200
LEAST_ROUNDS = 30  # fewer rounds give no meaningful interval
# detections over all rounds: some seconds. A fixed amount of work rather than time, so that intervals are reproducible
WORK = 9_000_000
MOST = 300_000  # detections: more would need too much memory
MAP50, MAP95 = "map50", "map95"
KEYS = {"detect": "tp", "obb": "tp", "segment": "tp_m", "pose": "tp_p"}

ClassMatches = tuple[Any, Any, Any]


def rounds_of(detections: int) -> int:
    """The number of rounds for this many detections."""
    return max(LEAST_ROUNDS, min(ROUNDS, WORK // max(1, detections)))


def intervals(matches: Mapping[str, Sequence[Any]], task: str) -> dict[str, list[float]] | None:
    """{"map50": [low, high], "map95": ...}: the 95 % interval of each metric.

    Args:
        matches: by image, as ultralytics collects them (Measured.matches).

    Returns: None for classification, for fewer than two images, and if the cost is too high.
    """
    if task not in KEYS or len(matches.get("conf", ())) < 2 or sum(map(len, matches["conf"])) > MOST:
        return None
    classes, detections = by_class(matches, KEYS[task]), sum(map(len, matches["conf"]))
    drawn = weights(len(matches["conf"]), rounds_of(detections))
    values_of_all = [values for weight in drawn if (values := mean_precision(classes, weight)) is not None]
    if not values_of_all:
        return None
    return {name: list(limits) for name, limits in zip((MAP50, MAP95), spread(values_of_all), strict=True)}


def weights(images: int, rounds: int) -> Iterator[Any]:
    """The number of times each image is drawn, per round; deterministic."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, images, images), minlength=images)


def spread(rounds: Sequence[Any]) -> list[tuple[float, float]]:
    """For each metric, the limits that contain 95 of 100 rounds."""
    import numpy as np

    low, high = np.percentile(np.array(rounds), [2.5, 97.5], axis=0)
    return [(round(float(lower), 5), round(float(upper), 5)) for lower, upper in zip(low, high, strict=True)]


def paired(first: Callable[[Any], Any], second: Callable[[Any], Any], images: int, rounds: int) -> list[Difference]:
    """The difference of `first` and `second`, for each metric, with its 95 % interval over the same draws.

    Args:
        first, second: the metrics for given image weights; None without objects.
    """
    import numpy as np

    unweighted = np.ones(images, int)
    exact = first(unweighted) - second(unweighted)
    pairs = ((first(weight), second(weight)) for weight in weights(images, rounds))
    limits = spread([mine - theirs for mine, theirs in pairs if mine is not None and theirs is not None])
    return [
        {"value": round(float(value), 5), "low": low, "high": high}
        for value, (low, high) in zip(exact, limits, strict=True)
    ]


def by_class(matches: Mapping[str, Sequence[Any]], key: str) -> list[ClassMatches]:
    """For each class with objects: true positives [detections, 10] by descending confidence, the image of each
    detection, and the image of each object.
    """
    import numpy as np

    def images_of(name: str) -> Any:
        return np.repeat(np.arange(len(matches[name])), [len(part) for part in matches[name]])

    conf, kinds, true = (np.concatenate(matches[name]) for name in ("conf", "pred_cls", key))
    order = np.argsort(-conf, kind="stable")
    kinds, true, images = kinds[order], true[order], images_of("conf")[order]
    truth, images_of_objects = np.concatenate(matches["target_cls"]), images_of("target_cls")
    of_classes = ((kinds == kind, images_of_objects[truth == kind]) for kind in np.unique(truth))
    return [(*up_to_the_last(true[mine], images[mine]), objects) for mine, objects in of_classes]


def up_to_the_last(true: Any, images: Any) -> tuple[Any, Any]:
    """Without the detections after the last true positive: they do not affect the precision envelope, and are a third
    of all.
    """
    right = true.any(1).nonzero()[0]
    count = right[-1] + 1 if len(right) else 0
    return true[:count], images[:count]


def mean_precision(classes: Sequence[ClassMatches], weight: Any) -> Any:
    """[mAP50, mAP50-95] with weighted images; None if no object is left."""
    import numpy as np

    values = [ap for item in classes if (ap := average_precision(item, weight)) is not None]
    if not values:
        return None
    mean = np.mean(values, axis=0)
    return np.array([mean[0], mean.mean()])


def average_precision(item: ClassMatches, weights: Any) -> Any:
    """AP at each IoU with weighted images; None if no object of the class is left."""
    import numpy as np

    true, images, images_of_objects = item
    objects = weights[images_of_objects].sum()
    if not objects:
        return None
    if not len(true):
        return np.zeros(true.shape[1])
    weight = weights[images][:, None]
    hits = (true * weight).cumsum(0)
    recall, precision = hits / objects, hits / np.maximum(weight.cumsum(0), 1)
    return np.array([area(recall[:, at], precision[:, at]) for at in range(true.shape[1])])


def area(recall: Any, precision: Any) -> float:
    """As in ultralytics' compute_ap: COCO's 101 points below the envelope. Reimplemented without torch, which takes
    seconds to load.
    """
    import numpy as np

    points_of_recall = np.concatenate(([0.0], recall, [recall[-1], 1.0]))
    heights = np.concatenate(([1.0], precision, [0.0, 0.0]))
    envelope = np.flip(np.maximum.accumulate(np.flip(heights)))
    points = np.linspace(0, 1, 101)
    values = np.interp(points, points_of_recall, envelope)
    return float(((values[1:] + values[:-1]) / 2 * np.diff(points)).sum())
