"""Finds objects and detections of an evaluation that look like label errors, the most suspicious first. Pure.

The kinds are those of ObjectLab (Tkachenko, Thyagarajan, Mueller: "ObjectLab: Automated Diagnosis of Mislabeled Images
in Object Detection Data", 2023, arXiv:2309.00832; in cleanlab `object_detection.rank`): overlooked objects, wrong
classes and badly located boxes; beside them labels of objects that the model does not find at all. As in confident
learning (Northcutt, Jiang, Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021,
arXiv:1911.00068) a confidence says nothing by itself but what it says of its class: how many of the detections that are
at least so sure are right? How sure is the model of the objects of this class, as a rule?

Strengths of different kinds cannot be compared: most models miss more than they confuse, so the misses would come first
however sure the confusions are. So each kind has an order of its own, and the list takes the strongest of each in turn:
what is rare in a set stands out before what is common there.

What the model was trained on it may have learned with its errors: the ranking is best on other images.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter

from app.core.outcomes import ImageResult

MISSING, EXTRA, WRONG_CLASS, BAD_BOX = "missing", "extra", "wrong_class", "bad_box"
KINDS = (MISSING, EXTRA, WRONG_CLASS, BAD_BOX)
MATCHED_IOU = 0.5  # from here on a detection and an object are one thing
NEARBY_IOU = 0.3  # from here on a detection says that there is something where the object is
ANOTHER_CLASS = 0.7  # what a pair of different classes is worth beside one of the same
GOOD_IOU = 0.8  # from here on a box fits
LEAST_CONF = 0.1  # of a detection that is looked at
LEAST = {MISSING: 0.4, EXTRA: 0.4, WRONG_CLASS: 0.2, BAD_BOX: 0.15}  # strength of what is named at all
PRIOR = 3.0  # detections that the share of all images counts for, beside those of an image
MOST = 5000


@dataclass(frozen=True)
class Suspect:
    """Something in an image that looks like an error of its labels.

    Args:
        object, detection: their indexes in `ImageResult`; -1: there is none.
        score: 0 to 1; the share of the objects that stand out less in the same way.
    """

    kind: str
    image: int
    object: int
    detection: int
    score: float


@dataclass
class Shares:
    """Statistics of the evaluated images for a class.

    Args:
        right, all: confidences of its detections. detected: of its objects, 0 of those that are not detected.
        trusts: of each of `all`, see `trust`. usual: the mean of `detected`.
    """

    right: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    detected: list[float] = field(default_factory=list)
    trusts: list[float] = field(default_factory=list)
    usual: float = 0.0

    def finalize(self) -> None:
        """Compute `trusts` and `usual`, once everything is counted."""
        self.right.sort()
        self.all.sort()
        shares = (
            (len(self.right) - bisect_left(self.right, value) + 1) / (len(self.all) - index + 2)
            for index, value in enumerate(self.all)
        )
        self.trusts = list(accumulate(shares, max))
        self.usual = sum(self.detected) / max(1, len(self.detected))

    def trust(self, confidence: float) -> float:
        """The share of the detections at least so sure that are right; never less than of those less sure, of which
        there are more to count."""
        return self.trusts[bisect_left(self.all, confidence)]


@dataclass(frozen=True)
class Candidate:
    """What may turn out to be a suspect once all images are counted."""

    kind: str
    image: int
    object: int
    detection: int
    actual: int
    predicted: int
    confidence: float  # of the detection
    label_confidence: float  # with which the object is found as what it is labelled
    iou: float
    agreement_counts: tuple[int, int] = (0, 0)  # of the other detections in its image: those that are right, and all


def suspects(images: Iterable[tuple[int, ImageResult]]) -> list[Suspect]:
    """The most suspicious first, at most MOST; (number, what is there) of each image."""
    shares: dict[int, Shares] = defaultdict(Shares)
    candidates = [
        item
        for number, image in images
        for item in (classification_candidates if is_classification(image) else box_candidates)(number, image, shares)
    ]
    for share in shares.values():
        share.finalize()
    detections = sum(len(share.all) for share in shares.values())
    right = sum(len(share.right) for share in shares.values()) / max(1, detections)
    ranked: list[tuple[int, float, Candidate]] = []
    for kind in KINDS:
        mine = [(strength(item, shares, right), item) for item in candidates if item.kind == kind]
        mine.sort(key=itemgetter(0), reverse=True)
        ranked += [(index, -value, item) for index, (value, item) in enumerate(mine) if value >= LEAST[kind]]
    ranked.sort(key=itemgetter(0, 1))
    objects = sum(len(share.detected) for share in shares.values())
    return [
        Suspect(item.kind, item.image, item.object, item.detection, round(max(0.0, 1 - index / (objects + 1)), 4))
        for index, _value, item in ranked[:MOST]
    ]


def strength(item: Candidate, shares: Mapping[int, Shares], right: float) -> float:
    """How much speaks for an error, 0 to 1; comparable within its kind only.

    Args:
        right: the share of all detections that are.
    """
    usual = shares[item.actual].usual
    if item.kind == EXTRA:
        return usual * (1 - item.label_confidence)
    if item.kind == BAD_BOX:  # the worse it fits the less the confidence matters: it is of a box elsewhere
        return float((item.confidence * usual) ** 0.5 * (1 - item.iou) ** 2)
    certainty = item.confidence * shares[item.predicted].trust(item.confidence) ** 0.5
    if item.kind == MISSING:
        return float(certainty * (1 - item.iou) * agreement(item, right) ** 0.5)
    return float(certainty * item.confidence / (item.confidence + item.label_confidence))


def agreement(item: Candidate, right: float) -> float:
    """The share of the other detections of its image that are right: where many are not, the model does not understand
    the image, or labels were left out on purpose."""
    agree, total = item.agreement_counts
    return (agree + PRIOR * right) / (total + PRIOR)


def is_classification(image: ImageResult) -> bool:
    """Whether it is an image of a classification."""
    return bool(image.objects) and not image.object_corners[0]


def classification_candidates(number: int, image: ImageResult, shares: dict[int, Shares]) -> Iterator[Candidate]:
    """Of a classification its surest class, where it is another than the label."""
    actual, predicted, confidence = image.objects[0], image.detections[0], image.confidences[0]
    confidence_in_label = dict(zip(image.detections, image.confidences, strict=True)).get(actual, 0.0)
    shares[actual].detected.append(confidence_in_label)
    shares[predicted].all.append(confidence)
    if actual == predicted:
        shares[actual].right.append(confidence)
    else:
        yield Candidate(WRONG_CLASS, number, 0, 0, actual, predicted, confidence, confidence_in_label, 1.0)


def box_candidates(number: int, image: ImageResult, shares: dict[int, Shares]) -> Iterator[Candidate]:
    """The candidates of an image with boxes; counts everything in it."""
    looked_at = sum(value >= LEAST_CONF for value in image.confidences)
    pairs = pair(image, looked_at)
    label_confidences = label_confidences_of(image, pairs)
    best = [0.0] * looked_at
    for detection, _object, iou in image.overlaps:
        if detection < looked_at:
            best[detection] = max(best[detection], iou)
    agreeing = sum(
        image.detections[detection] == image.objects[object_index] and iou >= MATCHED_IOU
        for detection, (object_index, iou) in pairs.items()
    )
    for detection in range(looked_at):
        object_index, iou = pairs.get(detection, (-1, best[detection]))
        kind, confidence = image.detections[detection], image.confidences[detection]
        actual = image.objects[object_index] if object_index >= 0 else kind
        right = object_index >= 0 and actual == kind and iou >= MATCHED_IOU
        shares[kind].all.append(confidence)
        if right:
            shares[kind].right.append(confidence)
        counts = (agreeing - right, looked_at - 1)
        about = (kind, confidence, label_confidences[object_index] if object_index >= 0 else 0.0, iou, counts)
        if object_index < 0 and iou < MATCHED_IOU:
            yield Candidate(MISSING, number, -1, detection, actual, *about)
        elif object_index >= 0 and actual != kind:
            yield Candidate(WRONG_CLASS, number, object_index, detection, actual, *about)
        elif object_index >= 0 and iou < GOOD_IOU:
            yield Candidate(BAD_BOX, number, object_index, detection, actual, *about)
    paired_objects = {object_index for object_index, _iou in pairs.values()}
    for object_index, actual in enumerate(image.objects):
        shares[actual].detected.append(label_confidences[object_index])
        if object_index not in paired_objects:
            yield Candidate(EXTRA, number, object_index, -1, actual, actual, 0.0, label_confidences[object_index], 0.0)


def pair(image: ImageResult, looked_at: int) -> dict[int, tuple[int, float]]:
    """Detection → (object, IoU), one to one: the surest that lie best on each other first, whatever their class."""

    def worth(item: tuple[int, int, float]) -> float:
        detection, object_index, iou = item
        same = image.detections[detection] == image.objects[object_index]
        return iou * image.confidences[detection] * (1.0 if same else ANOTHER_CLASS)

    def fits(item: tuple[int, int, float]) -> bool:
        return item[2] >= MATCHED_IOU or image.detections[item[0]] == image.objects[item[1]]

    rows = sorted((item for item in image.overlaps if item[0] < looked_at and fits(item)), key=worth, reverse=True)
    pairs: dict[int, tuple[int, float]] = {}
    used: set[int] = set()
    for detection, object_index, iou in rows:
        if detection not in pairs and object_index not in used:
            pairs[detection] = object_index, iou
            used.add(object_index)
    return pairs


def label_confidences_of(image: ImageResult, pairs: dict[int, tuple[int, float]]) -> Sequence[float]:
    """Of each object the confidence with which it is found there as what it is labelled, by a detection that is not of
    another object; 0: it is not."""
    confidences = [0.0] * len(image.objects)
    for detection, object_index, iou in image.overlaps:
        free = pairs.get(detection, (object_index, iou))[0] == object_index
        if free and iou >= NEARBY_IOU and image.detections[detection] == image.objects[object_index]:
            confidences[object_index] = max(confidences[object_index], image.confidences[detection])
    return confidences
