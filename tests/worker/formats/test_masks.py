"""Masks as images: classes by number, by palette and by colour; objects by components or by a mask of their own."""

import io
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image, ImageDraw

from tests.worker.formats.helpers import SIZE, boxes, codes, finding_codes, pictures, read_dataset, refusal, write

Box = tuple[int, int, int, int]
COLOURS = {1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0)}
BOXES: list[tuple[int, Box]] = [(1, (2, 3, 20, 15)), (2, (30, 5, 50, 40)), (1, (5, 25, 25, 45))]
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndog:128,0,0::\ncat:0,128,0::\n"
TRUE = [("dog", 2, 3, 20, 15), ("cat", 30, 5, 50, 40), ("dog", 5, 25, 25, 45)]


def filled(boxes_: list[tuple[int, Box]], kind: Any = numpy.uint8) -> Any:
    mask = numpy.zeros((SIZE[1], SIZE[0]), kind)
    for value, (left, top, right, bottom) in boxes_:
        mask[top:bottom, left:right] = value
    return mask


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def palette(values: Any) -> bytes:
    """As VOC and CVAT save masks."""
    image = Image.fromarray(values).convert("P")
    image.putpalette([part for value in range(4) for part in COLOURS.get(value, (0, 0, 0))] + [224, 224, 192] * 252)
    return png(image)


def coloured(values: Any) -> bytes:
    picture = numpy.zeros((*values.shape, 3), numpy.uint8)
    for value, colour in COLOURS.items():
        picture[values == value] = colour
    return png(Image.fromarray(picture))


def named(folder: Path, files: dict[str, bytes | str], **options: Any) -> Any:
    """Class name and box of each object of a.jpg, sorted; the codes of the decisions."""
    source = read_dataset(write(folder, files), **options)
    assert source.format == "masks"
    rows_ = boxes(folder, source)["a"]
    return sorted((source.names[int(kind)], *box) for kind, *box in rows_), codes(source)


@pytest.mark.parametrize("name", ["masks/a.png", "masks/a_mask.png", "train/masks/a.png", "masks/train/a.png"])
@pytest.mark.parametrize("write_mask", [lambda v: png(Image.fromarray(v)), palette])
def test_classes_by_number(tmp_path: Path, name: str, write_mask: Any) -> None:
    image = "train/images/a.jpg" if "train" in name else "images/a.jpg"
    files = pictures(image) | {name: write_mask(filled(BOXES)), "classes.txt": "dog\ncat\n"}
    assert named(tmp_path, files)[0] == sorted(TRUE)
    files["classes.txt"] = "background\ndog\ncat\n"
    objects, _ = named(tmp_path, files)
    assert objects == sorted(TRUE)


@pytest.mark.parametrize("write_mask", [palette, coloured])
def test_classes_by_labelmap(tmp_path: Path, write_mask: Any) -> None:
    """CVAT's "Segmentation mask 1.1": two objects of one class touch, and only the mask of objects separates them."""
    twins: list[tuple[int, Box]] = [(1, (2, 3, 20, 15)), (1, (20, 3, 40, 15))]
    files = pictures("JPEGImages/a.jpg", "JPEGImages/b.jpg") | {
        "labelmap.txt": LABELMAP,
        "ImageSets/Segmentation/train.txt": "a\n",
        "ImageSets/Segmentation/val.txt": "b\n",
        "SegmentationClass/a.png": write_mask(filled(twins)),
        "SegmentationClass/b.png": write_mask(filled(BOXES)),
        "SegmentationObject/a.png": write_mask(filled([(1, twins[0][1]), (2, twins[1][1])])),
        "SegmentationObject/b.png": write_mask(filled([(n, box) for n, (_, box) in enumerate(BOXES, 1)])),
    }
    objects, _ = named(tmp_path, files)
    assert objects == [("dog", 2, 3, 20, 15), ("dog", 20, 3, 40, 15)]
    source = read_dataset(tmp_path)
    assert {item.name: item.split for item in source.items} == {"a.jpg": "train", "b.jpg": "val"}
    assert (source.names, source.task, finding_codes(source)) == (["dog", "cat"], "segment", [])


def test_classes_by_a_table_of_colours(tmp_path: Path) -> None:
    table = "name,r,g,b\nVoid,0,0,0\ndog,128,0,0\ncat,0,128,0\n"
    files = pictures("images/a.png") | {"labels/a_L.png": coloured(filled(BOXES)), "class_dict.csv": table}
    assert named(tmp_path, files)[0] == sorted(TRUE)


def test_black_and_white(tmp_path: Path) -> None:
    files = pictures("a.jpg", "b.jpg") | {
        "masks/a.png": png(Image.fromarray(filled([(255, box) for _, box in BOXES]))),
        "masks/b.png": png(Image.fromarray(filled([]))),
    }
    objects, decisions = named(tmp_path, files)
    assert objects == sorted(("object", *sides) for _, *sides in TRUE)
    assert "class_of_all" in decisions
    assert [len(item.rows) for item in read_dataset(tmp_path).items] == [3, 0], "without an object it is a background"


def test_black_and_white_as_jpeg(tmp_path: Path) -> None:
    """JPEG changes the values, but preserves which pixels are light, in a mask of one class."""
    file = io.BytesIO()
    Image.fromarray(filled([(255, (8, 8, 40, 32))])).save(file, "JPEG", quality=75)
    objects, decisions = named(tmp_path, pictures("images/a.jpg") | {"masks/a.jpg": file.getvalue()})
    assert objects == [("object", 8, 8, 40, 32)]
    assert "class_of_all" in decisions


def test_masks_in_a_folder_of_labels(tmp_path: Path) -> None:
    """CamVid's: train, train_labels, and a table of colours."""
    table = "name,r,g,b\ndog,128,0,0\ncat,0,128,0\nVoid,0,0,0\n"
    files = pictures("train/a.jpg") | {"train_labels/a_L.png": coloured(filled(BOXES)), "class_dict.csv": table}
    assert named(tmp_path, files)[0] == sorted(TRUE)


def test_instances_of_one_class(tmp_path: Path) -> None:
    numbers = [(n * 300, box) for n, (_, box) in enumerate(BOXES, 1)]
    files = pictures("a.jpg") | {"instances/a.png": png(Image.fromarray(filled(numbers, numpy.uint16)))}
    assert named(tmp_path, files)[0] == sorted(("object", *sides) for _, *sides in TRUE)


def test_values_that_nobody_names(tmp_path: Path) -> None:
    files = pictures("images/a.jpg") | {"masks/a.png": png(Image.fromarray(filled(BOXES)))}
    objects, decisions = named(tmp_path, files)
    assert {name for name, *_ in objects} == {"class_1", "class_2"}
    assert "mask_names" in decisions


def test_a_hole_stays_one(tmp_path: Path) -> None:
    mask = filled([(1, (10, 10, 40, 40))])
    mask[20:30, 20:30] = 0
    folder = write(tmp_path, pictures("a.jpg") | {"masks/a.png": png(Image.fromarray(mask))})
    [row] = read_dataset(folder).items[0].rows
    numbers = [float(value) for value in row.text.split()[1:]]
    corners = {(round(x * 64), round(y * 48)) for x, y in zip(numbers[::2], numbers[1::2], strict=True)}
    assert corners >= {(10, 10), (40, 40), (40, 10), (10, 40)}
    assert any(18 <= x <= 32 and 18 <= y <= 32 for x, y in corners)


def noise() -> bytes:
    return png(Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (48, 64), numpy.uint8)))


def test_photographs_in_a_folder_of_that_name_are_no_masks(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {f"{kind}/{n}.png": noise() for kind in ("mask", "no_mask") for n in range(4)}
    assert read_dataset(write(tmp_path, files)).task == "classify"


def test_damaged_masks(tmp_path: Path) -> None:
    good = png(Image.fromarray(filled(BOXES)))
    files = pictures(*(f"images/{name}.jpg" for name in "abcde")) | {f"masks/{name}.png": good for name in "abc"}
    files |= {"masks/d.png": good[:60], "masks/e.png": noise()}
    source = read_dataset(write(tmp_path, files))
    assert {(code, file) for code, file, _ in finding_codes(source)} >= {("mask_unreadable", "masks/d.png")}
    bomb = Image.new("1", (13000, 13000))
    files = pictures("images/a.jpg") | {"masks/a.png": png(bomb)}
    assert "labels" in refusal(write(tmp_path / "bomb", files))


def soft(colour: Any, mode: str = "RGB") -> bytes:
    """Two discs with blurred edges, as from a drawing program and a scaler."""
    large = Image.new(mode, (SIZE[0] * 8, SIZE[1] * 8))
    draw = ImageDraw.Draw(large)
    draw.ellipse((40, 40, 200, 200), fill=colour[0])
    draw.ellipse((280, 120, 440, 340), fill=colour[1])
    return png(large.resize(SIZE, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_soft_edges_are_no_classes(tmp_path: Path, mode: str) -> None:
    white: Any = 255 if mode == "L" else (255, 255, 255)
    objects, _ = named(tmp_path, pictures("a.jpg") | {"masks/a.png": soft((white, white), mode)})
    assert [name for name, *_ in objects] == ["object", "object"]
    assert objects[0][1:] == pytest.approx((5, 5, 25, 25), abs=1)


def test_soft_edges_of_colours(tmp_path: Path) -> None:
    objects, _ = named(tmp_path, pictures("a.jpg") | {"masks/a.png": soft(((128, 0, 0), (0, 128, 64)))})
    assert [name for name, *_ in objects] == ["class_008040", "class_800000"]
    assert len(read_dataset(tmp_path).names) == 2, "no class of an edge, with or without an object"
    assert objects[1][1:] == pytest.approx((5, 5, 25, 25), abs=1)


def test_grey_values_far_apart(tmp_path: Path) -> None:
    """255 is VOC's edge only among small numbers."""
    values = [(128, BOXES[0][1]), (255, BOXES[1][1])]
    objects, _ = named(tmp_path, pictures("a.jpg") | {"masks/a.png": png(Image.fromarray(filled(values)))})
    assert [name for name, *_ in objects] == ["class_128", "class_255"]
    values = [(85, BOXES[0][1]), (170, BOXES[1][1]), (255, BOXES[2][1])]
    files = pictures("a.jpg") | {"instances/a.png": png(Image.fromarray(filled(values)))}
    assert len(named(tmp_path / "objects", files)[0]) == 3
    edged = [(1, (0, 0, 20, 20)), (2, (30, 0, 50, 20)), (255, (0, 30, 20, 40))]
    files = pictures("a.jpg") | {"masks/a.png": png(Image.fromarray(filled(edged)))}
    assert len(named(tmp_path / "edge", files)[0]) == 2


def test_masks_beside_their_images_are_no_classes_of_images(tmp_path: Path) -> None:
    """BUSI; an image may have several."""
    one, two, none = (
        png(Image.fromarray(filled(values))) for values in ([(255, BOXES[0][1])], [(255, BOXES[1][1])], [])
    )
    files = pictures("benign/benign (1).png", "malignant/malignant (1).png", "normal/normal (1).png") | {
        "benign/benign (1)_mask.png": one,
        "benign/benign (1)_mask_1.png": two,
        "malignant/malignant (1)_mask.png": one,
        "normal/normal (1)_mask.png": none,
    }
    source = read_dataset(write(tmp_path, files))
    assert (source.format, source.task, source.outside) == ("masks", "segment", [])
    assert {item.image: len(item.rows or ()) for item in source.items} == {
        "benign/benign (1).png": 2,
        "malignant/malignant (1).png": 1,
        "normal/normal (1).png": 0,
    }
