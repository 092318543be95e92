"""A model's detections as data, for each task; from ultralytics' own results."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from ultralytics.engine.results import Results

from app.config import ROOT
from app.worker.detections import MOST_CORNERS, detections_of
from app.worker.picture import COLOURS, draw

NAMES = {0: "leaf", 1: "=stem"}
BOXES = torch.tensor([[10.0, 20, 50, 60, 0.3, 0], [60, 20, 90, 70, 0.9, 1]])


def result(**parts: Any) -> Results:
    """Of an image of 100 x 80 pixels."""
    return Results(np.zeros((80, 100, 3), np.uint8), path="", names=NAMES, **parts)


def test_boxes_are_split_at_the_confidence() -> None:
    strong, weaker = detections_of(result(boxes=BOXES), 0.5)
    assert [item["class"] for item in strong] == ["=stem"]
    assert weaker == [{"class": "leaf", "confidence": 0.3, "bbox": [10, 20, 50, 60], "center": [30, 40], "area": 1600}]
    assert sum(map(len, detections_of(result(boxes=BOXES), 0.0))) == 2
    assert detections_of(result(boxes=BOXES), 1.0)[0] == []


def test_masks_come_as_outlines() -> None:
    masks = torch.zeros(2, 80, 100)
    masks[0, 20:60, 10:50] = 1
    rows, columns = torch.meshgrid(torch.arange(80), torch.arange(100), indexing="ij")
    masks[1] = ((columns - 75) ** 2 + (rows - 45) ** 2 < 225).float()
    (circle, square), _ = detections_of(result(boxes=BOXES, masks=masks), 0.1)
    assert len(square["polygon"]) == 4
    assert {tuple(point) for point in square["polygon"]} == {(10, 20), (49, 20), (49, 59), (10, 59)}
    assert 8 <= len(circle["polygon"]) <= MOST_CORNERS
    assert all(abs(((x - 75) ** 2 + (y - 45) ** 2) ** 0.5 - 15) < 2 for x, y in circle["polygon"])


def test_an_empty_mask_has_an_empty_outline() -> None:
    (detection, _), _ = detections_of(result(boxes=BOXES, masks=torch.zeros(2, 80, 100)), 0.1)
    assert detection["polygon"] == []


def test_keypoints_go_with_their_box() -> None:
    points = torch.tensor([[[11.0, 21, 0.9], [12, 22, 0.1]], [[61.26, 21, 0.8], [62, 22, 0.7]]])
    (first, second), _ = detections_of(result(boxes=BOXES, keypoints=points), 0.1)
    assert (first["class"], first["keypoints"][0]) == ("=stem", [61.26, 21, 0.8])
    assert second["keypoints"] == [[11, 21, 0.9], [12, 22, 0.1]]


def test_turned_boxes_have_corners() -> None:
    turned = torch.tensor([[50.0, 40, 40, 20, np.pi / 2, 0.8, 0]])
    ((detection,), _) = detections_of(result(obb=turned), 0.1)
    assert detection["bbox"] == pytest.approx([40, 20, 60, 60], abs=0.1)
    assert sorted(map(tuple, detection["corners"])) == [(40, 20), (40, 60), (60, 20), (60, 60)]


def test_a_classification_has_its_best_classes() -> None:
    strong, weaker = detections_of(result(probs=torch.tensor([0.2, 0.8])), 0.99)
    assert weaker == []
    assert (strong[0]["class"], strong[0]["bbox"]) == ("=stem", [0, 0, 100, 80])
    assert strong[0]["top5"] == [{"class": "=stem", "confidence": 0.8}, {"class": "leaf", "confidence": 0.2}]


def test_shapes_are_drawn_as_they_are() -> None:
    """A rotated square: its corners are coloured, the corner of the upright box around it is not."""
    item = {
        "class": "leaf",
        "confidence": 0.8,
        "bbox": [20, 30, 80, 78],
        "corners": [[50, 30], [80, 54], [50, 78], [20, 54]],
        "keypoints": [[50, 54, 0.9], [24, 74, 0.1]],
    }
    drawn = draw(Image.new("RGB", (100, 80), "black"), [item], {"leaf": 0})
    assert drawn.getpixel((35, 42)) != (0, 0, 0)
    assert drawn.getpixel((50, 54)) != (0, 0, 0)
    assert [drawn.getpixel(point) for point in ((78, 76), (24, 74))] == [(0, 0, 0)] * 2


def test_a_classification_gets_a_label_and_no_frame() -> None:
    item = {
        "class": "leaf",
        "confidence": 0.8,
        "bbox": [0, 0, 200, 160],
        "top5": [{"class": "leaf", "confidence": 0.8}],
    }
    drawn = draw(Image.new("RGB", (200, 160), "black"), [item], {"leaf": 0})
    assert drawn.getpixel((2, 2)) != (0, 0, 0), "the label"
    assert drawn.crop((0, 40, 200, 160)).getcolors() == [(200 * 120, (0, 0, 0))]


def test_a_class_has_one_colour_everywhere() -> None:
    """In images for download as on the pages."""
    script = (ROOT / "app/static/js/ui/palette.js").read_text(encoding="utf-8").partition("classColour")[0]
    assert tuple(re.findall(r"#[0-9a-f]{6}", script)) == COLOURS
