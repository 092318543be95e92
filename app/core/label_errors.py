"""Finds objects and detections of an evaluation that look like label errors, the most suspicious first. Pure.

The kinds are those of ObjectLab (Tkachenko, Thyagarajan, Mueller: "ObjectLab: Automated Diagnosis of Mislabeled Images
in Object Detection Data", 2023, arXiv:2309.00832; in cleanlab `object_detection.rank`): overlooked objects, swapped
classes and badly located boxes; and, besides, labels of objects that the model does not detect at all. As in confident
learning (Northcutt, Jiang, Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021,
arXiv:1911.00068), a confidence is judged relative to its class: how many of the class's detections with at least this
confidence are correct, and how confidently are objects of this class usually detected?

Scores of different kinds are not comparable: most models miss more objects than they confuse, so missed ones would
always come first. So each kind is ranked separately, and the list alternates between the kinds: what is rare in a set
comes before what is common there.

On images of its training set, a model may have learned the errors: the ranking is best on other images.
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
MATCHED_IOU = 0.5  # from here on, a detection and an object match
NEARBY_IOU = 0.3  # from here on, a detection indicates an object at this location
ANOTHER_CLASS = 0.7  # weight of a pair of different classes, relative to the same class
GOOD_IOU = 0.8  # from here on, a box fits
LEAST_CONF = 0.1  # lowest confidence of a detection that is considered
LEAST = {MISSING: 0.4, EXTRA: 0.4, WRONG_CLASS: 0.2, BAD_BOX: 0.15}  # lowest strength of a suspect, by kind
PRIOR = 3.0  # weight of the average over all images, in detections, against those of one image
MOST = 5000


@dataclass(frozen=True)
class Suspect:
    """An object or a detection that looks like a label error.

    Args:
        object, detection: their indexes in `ImageResult`; -1: none.
        score: 0 to 1; the share of objects that are less suspicious within the kind.
    """

    kind: str
    image: int
    object: int
    detection: int
    score: float


@dataclass
class Shares:
    """Statistics of a class over all evaluated images.

    Args:
        right, all: confidences of its correct and of all detections. detected: label confidence of its objects, 0 if
            undetected.
        trusts: for each of `all`, see `trust`. usual: the mean of `detected`.
    """

    right: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    detected: list[float] = field(default_factory=list)
    trusts: list[float] = field(default_factory=list)
    usual: float = 0.0

    def finalize(self) -> None:
        """Compute `trusts` and `usual`, after all images were counted."""
        self.right.sort()
        self.all.sort()
        shares = (
            (len(self.right) - bisect_left(self.right, value) + 1) / (len(self.all) - index + 2)
            for index, value in enumerate(self.all)
        )
        self.trusts = list(accumulate(shares, max))
        self.usual = sum(self.detected) / max(1, len(self.detected))

    def trust(self, confidence: float) -> float:
        """The share of correct detections among those with at least this confidence; monotonic: never less than at a
        lower confidence.
        """
        return self.trusts[bisect_left(self.all, confidence)]


@dataclass(frozen=True)
class Candidate:
    """A possible suspect, judged after all images were counted."""

    kind: str
    image: int
    object: int
    detection: int
    actual: int
    predicted: int
    confidence: float  # of the detection
    label_confidence: float  # with which the object is detected as its labeled class
    iou: float
    agreement_counts: tuple[int, int] = (0, 0)  # of the other detections in its image: correct ones, and all


def suspects(images: Iterable[tuple[int, ImageResult]]) -> list[Suspect]:
    """The suspects, most suspicious first, at most MOST; `images`: (number, result) of each image."""
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
    """The evidence for an error, 0 to 1; comparable within a kind only.

    Args:
        right: the share of all detections that are correct.
    """
    usual = shares[item.actual].usual
    if item.kind == EXTRA:
        return usual * (1 - item.label_confidence)
    if item.kind == BAD_BOX:  # with a poor fit the confidence matters less: it is that of a box elsewhere
        return float((item.confidence * usual) ** 0.5 * (1 - item.iou) ** 2)
    certainty = item.confidence * shares[item.predicted].trust(item.confidence) ** 0.5
    if item.kind == MISSING:
        return float(certainty * (1 - item.iou) * agreement(item, right) ** 0.5)
    return float(certainty * item.confidence / (item.confidence + item.label_confidence))


def agreement(item: Candidate, right: float) -> float:
    """The share of correct detections among the others of its image: a low one means that the model fails on the image,
    or that labels were left out on purpose.
    """
    agree, total = item.agreement_counts
    return (agree + PRIOR * right) / (total + PRIOR)


def is_classification(image: ImageResult) -> bool:
    """Whether it is an image of a classification."""
    return bool(image.objects) and not image.object_corners[0]


def classification_candidates(number: int, image: ImageResult, shares: dict[int, Shares]) -> Iterator[Candidate]:
    """The top class of a classified image, if it differs from the label."""
    actual, predicted, confidence = image.objects[0], image.detections[0], image.confidences[0]
    confidence_in_label = dict(zip(image.detections, image.confidences, strict=True)).get(actual, 0.0)
    shares[actual].detected.append(confidence_in_label)
    shares[predicted].all.append(confidence)
    if actual == predicted:
        shares[actual].right.append(confidence)
    else:
        yield Candidate(WRONG_CLASS, number, 0, 0, actual, predicted, confidence, confidence_in_label, 1.0)


def box_candidates(number: int, image: ImageResult, shares: dict[int, Shares]) -> Iterator[Candidate]:
    """The candidates of an image with boxes; also counts its detections and objects in `shares`."""
    confident_count = sum(value >= LEAST_CONF for value in image.confidences)
    pairs = pair(image, confident_count)
    label_confidences = label_confidences_of(image, pairs)
    best = [0.0] * confident_count
    for detection, _object, iou in image.overlaps:
        if detection < confident_count:
            best[detection] = max(best[detection], iou)
    agreeing = sum(
        image.detections[detection] == image.objects[object_index] and iou >= MATCHED_IOU
        for detection, (object_index, iou) in pairs.items()
    )
    for detection in range(confident_count):
        object_index, iou = pairs.get(detection, (-1, best[detection]))
        kind, confidence = image.detections[detection], image.confidences[detection]
        actual = image.objects[object_index] if object_index >= 0 else kind
        right = object_index >= 0 and actual == kind and iou >= MATCHED_IOU
        shares[kind].all.append(confidence)
        if right:
            shares[kind].right.append(confidence)
        counts = (agreeing - right, confident_count - 1)
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


def pair(image: ImageResult, confident_count: int) -> dict[int, tuple[int, float]]:
    """Detection → (object, IoU), one to one and greedy by confidence and IoU, across classes."""

    def worth(item: tuple[int, int, float]) -> float:
        detection, object_index, iou = item
        same = image.detections[detection] == image.objects[object_index]
        return iou * image.confidences[detection] * (1.0 if same else ANOTHER_CLASS)

    def fits(item: tuple[int, int, float]) -> bool:
        return item[2] >= MATCHED_IOU or image.detections[item[0]] == image.objects[item[1]]

    rows = sorted(
        (item for item in image.overlaps if item[0] < confident_count and fits(item)), key=worth, reverse=True
    )
    pairs: dict[int, tuple[int, float]] = {}
    used: set[int] = set()
    for detection, object_index, iou in rows:
        if detection not in pairs and object_index not in used:
            pairs[detection] = object_index, iou
            used.add(object_index)
    return pairs


def label_confidences_of(image: ImageResult, pairs: dict[int, tuple[int, float]]) -> Sequence[float]:
    """For each object, the confidence with which it is detected as its labeled class, by a detection that is not paired
    with another object; 0: none.
    """
    confidences = [0.0] * len(image.objects)
    for detection, object_index, iou in image.overlaps:
        free = pairs.get(detection, (object_index, iou))[0] == object_index
        if free and iou >= NEARBY_IOU and image.detections[detection] == image.objects[object_index]:
            confidences[object_index] = max(confidences[object_index], image.confidences[detection])
    return confidences
