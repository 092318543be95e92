"""Tables as users upload them: other headings, all objects of an image in a cell, and classes of whole images."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.formats.helpers import SIZE, boxes, codes, finding_codes, pictures, read_dataset, refusal, write
from tests.worker.formats.helpers import rows as rows_of
from tests.worker.formats.writers import Box, table

DRAWN: dict[str, list[Box]] = {
    "a": [("car", 8, 6, 40, 30), ("dog", 42, 8, 60, 44)],
    "b": [("dog", 2, 4, 20, 40)],
    "c": [("car", 30, 10, 62, 46)],
}
NAMES = ["car", "dog"]


def each(row: Callable[[str, Box], list[object]], *header: str) -> str:
    return table(list(header), [row(name, box) for name, boxes_ in DRAWN.items() for box in boxes_])


def table_of(row: Callable[[str, list[Box]], list[object]], *header: str) -> str:
    return table(list(header), [row(name, boxes_) for name, boxes_ in DRAWN.items()])


def corners(box: Box) -> list[object]:
    return [box[1], box[2], box[3], box[2], box[3], box[4], box[1], box[4]]


def string(boxes_: list[Box]) -> str:
    return " ".join(f"{kind} 1.0 {left} {top} {right} {bottom}" for kind, left, top, right, bottom in boxes_)


TABLES = {
    "Portuguese": each(lambda n, b: [f"{n}.jpg", *b[1:], b[0]], "Arquivo", "xmin", "ymin", "xmax", "ymax", "Rótulo"),
    "LISA": each(
        lambda n, b: [f"{n}.jpg", b[0], *b[1:]],
        *["Filename", "Annotation tag", "Upper left corner X", "Upper left corner Y"],
        *["Lower right corner X", "Lower right corner Y"],
    ),
    "makesense": each(lambda n, b: [b[0], b[1], b[2], b[3] - b[1], b[4] - b[2], f"{n}.jpg", *SIZE]),
    "four points": each(
        lambda n, b: [f"{n}.jpg", *corners(b), b[0]],
        *["image", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "label"],
    ),
    "PredictionString": table_of(lambda n, boxes_: [n, string(boxes_)], "image_id", "PredictionString"),
    "lists": table_of(
        lambda n, boxes_: [n, json.dumps([box[1:] for box in boxes_]), json.dumps([box[0] for box in boxes_])],
        *["image", "boxes", "labels"],
    ),
    "TensorFlow without a heading": table(
        [], [[f"{n}.jpg", *SIZE, b[0], *b[1:]] for n, boxes_ in DRAWN.items() for b in boxes_]
    ),
    "polygons": each(
        lambda n, b: [
            n,
            b[0],
            str(list(zip(corners(b)[::2], corners(b)[1::2], strict=True))).replace("(", "[").replace(")", "]"),
        ],
        *["image", "label", "polygon"],
    ),
    "polygons as text": each(
        lambda n, b: [
            n,
            b[0],
            "POLYGON ((" + ", ".join(f"{x} {y}" for x, y in zip(corners(b)[::2], corners(b)[1::2], strict=True)) + "))",
        ],
        *["image", "label", "segmentation"],
    ),
    "dictionaries": each(
        lambda n, b: [n, str([{"x": b[1], "y": b[2], "width": b[3] - b[1], "height": b[4] - b[2]}]), b[0]],
        *["image_id", "annotations", "class"],
    ),
}


@pytest.mark.parametrize("name", [*TABLES])
def test_boxes_come_back(tmp_path: Path, name: str) -> None:
    source = read_dataset(write(tmp_path, pictures("a.jpg", "b.jpg", "c.jpg") | {"labels.csv": TABLES[name]}))
    assert source.names == NAMES
    expected = {
        n: sorted((float(NAMES.index(b[0])), *map(float, b[1:])) for b in boxes_) for n, boxes_ in DRAWN.items()
    }
    assert {image: sorted(boxes_) for image, boxes_ in boxes(tmp_path, source).items()} == expected


def test_images_that_are_called_by_folder_and_number(tmp_path: Path) -> None:
    """The Great Barrier Reef's table: "1-16" is video_1/16.jpg; there is one class, without a name."""
    boxes_in = {"0-16": [("", 8, 6, 40, 30)], "1-16": [("", 2, 4, 20, 40), ("", 30, 10, 62, 46)], "1-17": []}
    cells = {
        name: str([{"x": b[1], "y": b[2], "width": b[3] - b[1], "height": b[4] - b[2]} for b in boxes_])
        for name, boxes_ in boxes_in.items()
    }
    rows = [[name[0], 40258, name[2:], name, cell] for name, cell in cells.items()]
    text = table(["video_id", "sequence", "video_frame", "image_id", "annotations"], rows)
    files = pictures(*(f"train_images/video_{name[0]}/{name[2:]}.jpg" for name in boxes_in))
    source = read_dataset(write(tmp_path, files | {"train.csv": text}))
    assert source.names == ["object"]
    counts = {item.image.split("/", 1)[1]: len(rows_of(tmp_path, item)) for item in source.items}
    assert counts == {"video_0/16.jpg": 1, "video_1/16.jpg": 2, "video_1/17.jpg": 0}


def test_a_table_of_images_that_are_not_there(tmp_path: Path) -> None:
    files = pictures("x.jpg", "y.jpg") | {"labels.csv": TABLES["Portuguese"]}
    assert "none of the images" in refusal(write(tmp_path, files))


def test_a_table_of_objects_is_no_classification(tmp_path: Path) -> None:
    """Two objects of an image are not two classes of it, whatever their shapes' column contains."""
    text = each(lambda n, b: [n, b[0], "M 1 2 L 3 4"], "image", "label", "polygon")
    assert "labels.csv" in refusal(write(tmp_path, pictures("a.jpg", "b.jpg", "c.jpg") | {"labels.csv": text}))


def test_a_table_that_is_not_read_is_named(tmp_path: Path) -> None:
    text = table(["picture_nr", "what"], [["scene_1", "???"], ["scene_2", "???"], ["scene_3", "???"]])
    files = pictures(*(f"scene_{n}.jpg" for n in range(1, 4))) | {"survey.csv": text}
    assert "survey.csv" in refusal(write(tmp_path, files))


def test_answers_of_a_competition_are_no_labels(tmp_path: Path) -> None:
    files = pictures("a.jpg", "b.jpg") | {"sample_submission.csv": TABLES["PredictionString"]}
    assert "CSV" not in refusal(write(tmp_path, files))[:20]


CLASSES = {
    "a class": table(["image", "label"], [["a.jpg", "cat"], ["b.jpg", "dog"], ["c.jpg", "cat"], ["d.jpg", "dog"]]),
    "another heading, no suffix": table(["id", "breed"], [["a", "cat"], ["b", "dog"], ["c", "cat"], ["d", "dog"]]),
    "no heading": table([], [["x/a.jpg", "cat"], ["x/b.jpg", "dog"], ["x/c.jpg", "cat"], ["x/d.jpg", "dog"]]),
    "a column a class": table(
        ["filename", "cat", "dog"], [["a.jpg", 1, 0], ["b.jpg", 0, 1], ["c.jpg", 1, 0], ["d.jpg", 0, 1]]
    ),
}
PICTURES = [f"images/{name}.jpg" for name in "abcd"]


@pytest.mark.parametrize("name", [*CLASSES])
def test_classes_of_images(tmp_path: Path, name: str) -> None:
    source = read_dataset(write(tmp_path, pictures(*PICTURES) | {"classes.csv": CLASSES[name]}))
    assert (source.format, source.task, source.names) == ("csv-classes", "classify", ["cat", "dog"])
    classes = {item.image.rpartition("/")[2]: (item.class_name, item.name) for item in source.items}
    assert classes["b.jpg"] == ("dog", "dog/b.jpg")
    assert [kind for _, (kind, _) in sorted(classes.items())] == ["cat", "dog", "cat", "dog"]
    assert "task_table" in codes(source)


@pytest.mark.parametrize(
    "rows",
    [
        [["a.jpg", "train"], ["b.jpg", "val"], ["c.jpg", "train"], ["d.jpg", "val"]],
        [["a.jpg", "Ann"], ["b.jpg", "Bea"], ["c.jpg", "Carl"], ["d.jpg", "Dan"]],
    ],
)
def test_unrelated_tables_are_no_classes(tmp_path: Path, rows: list[list[str]]) -> None:
    refusal(write(tmp_path, pictures(*PICTURES) | {"about.csv": table(["file", "what"], rows)}))


def test_a_row_with_another_class_is_reported(tmp_path: Path) -> None:
    rows = [
        ["a.jpg", "cat"],
        ["b.jpg", "dog"],
        ["c.jpg", "cat"],
        ["d.jpg", "dog"],
        ["a.jpg", "dog"],
        ["gone.jpg", "cat"],
    ]
    source = read_dataset(write(tmp_path, pictures(*PICTURES) | {"classes.csv": table(["image", "label"], rows)}))
    assert sorted(item["code"] for item in source.findings) == ["image_missing", "image_repeated"]


def label_studio(number: int, name: str, key: str = "annotations") -> dict[str, object]:
    value = {"x": 25, "y": 25, "width": 50, "height": 50, "rectanglelabels": ["cat"]}
    about = {"id": "r", "type": "rectanglelabels", "original_width": SIZE[0], "original_height": SIZE[1]}
    return {"id": number, "data": {"image": f"/data/upload/1/{name}"}, key: [{"result": [about | {"value": value}]}]}


@pytest.mark.parametrize("form", ["a file a task", "a line a task"])
def test_label_studio_in_other_files(tmp_path: Path, form: str) -> None:
    tasks = [label_studio(number, f"{name}.jpg") for number, name in enumerate("ab", 1)]
    files = {f"tasks/{task['id']}.json": json.dumps(task) for task in tasks}
    if form == "a line a task":
        files = {"tasks.jsonl": "\n".join(map(json.dumps, tasks))}
    source = read_dataset(write(tmp_path, pictures("a.jpg", "b.jpg") | files))
    assert (source.format, boxes(tmp_path, source)) == (
        "label-studio",
        {name: [(0, SIZE[0] / 4, SIZE[1] / 4, 3 * SIZE[0] / 4, 3 * SIZE[1] / 4)] for name in "ab"},
    )


def test_predictions_are_no_annotations(tmp_path: Path) -> None:
    tasks = [label_studio(number, f"{name}.jpg", "predictions") for number, name in enumerate("ab", 1)]
    folder = write(tmp_path, pictures("a.jpg", "b.jpg") | {"p.json": json.dumps(tasks)})
    assert "predictions of a model" in refusal(folder)
    write(folder, {"p.json": json.dumps([tasks[0], label_studio(2, "b.jpg")])})
    assert "predictions_left_out" in codes(read_dataset(folder))


GROUPS = {  # of a PredictionString: an object, and its expected class
    "class as a number": ("3 0.9 8 6 40 30", "3"),
    "class as a name": ("car 0.9 8 6 40 30", "car"),
    "confidence and sides": ("1.0 8 6 32 24", "object"),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_the_form_of_strings_is_judged_by_the_entire_column(tmp_path: Path, kind: str) -> None:
    """Five objects of six numbers are as many as six of five."""
    group, name = GROUPS[kind]
    counts = {"a": 1, "b": 5, "c": 6, "d": 2}
    cells = [[image, " ".join([group] * count)] for image, count in counts.items()]
    files = pictures(*(f"{image}.jpg" for image in "abcde")) | {
        "train.csv": table(["image_id", "PredictionString"], [*cells, ["e", ""]])
    }
    source = read_dataset(write(tmp_path, files))
    assert source.names == [name]
    assert boxes(tmp_path, source) == {
        image: [(0, 8.0, 6.0, 40.0, 30.0)] * count for image, count in (counts | {"e": 0}).items()
    }


UNREADABLE = {
    "dicts in dicts": ("annotations", "[{'place': {'a': 1, 'b': 2}, 'class': 'cat'}]"),
    "a score behind": ("bboxes", "[[8, 6, 32, 24, 0.9]]"),
    "another string": ("PredictionString", "0.9 1 2 3 4 5 6 car"),
    "a damaged string": ("PredictionString", "car 0.9 8 6 x 30"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_objects_are_reported_and_make_no_background(tmp_path: Path, kind: str) -> None:
    heading, cell = UNREADABLE[kind]
    good = "car 0.9 8 6 40 30" if heading == "PredictionString" else "[[8, 6, 32, 24]]"
    files = pictures("a.jpg", "b.jpg", "c.jpg")
    rows = [["a.jpg", good, "car"], ["b.jpg", cell, "car"], ["c.jpg", "", ""]]
    files["train.csv"] = table(["image_id", heading, "class"], rows)
    source = read_dataset(write(tmp_path / "some", files))
    assert [item.image for item in source.items] == ["a.jpg", "c.jpg"]
    assert ("object_no_box", "train.csv", 3) in finding_codes(source)
    files["train.csv"] = table(["image_id", heading, "class"], [rows[1], rows[2]])
    assert "format that isn't supported: train.csv" in refusal(write(tmp_path / "all", files))


@pytest.mark.parametrize("heading", ["split", "Data set", "usage"])
def test_classes_of_images_in_their_splits(tmp_path: Path, heading: str) -> None:
    splits = {name: "train" if name in "abcd" else "validation" for name in "abcdef"}
    rows = [[f"{name}.jpg", "cat" if name in "ace" else "dog", split] for name, split in splits.items()]
    files = pictures(*(f"{name}.jpg" for name in splits)) | {"labels.csv": table(["image", "label", heading], rows)}
    source = read_dataset(write(tmp_path, files))
    assert (source.task, source.names) == ("classify", ["cat", "dog"])
    assert [item.split for item in source.items] == ["train"] * 4 + ["val"] * 2


def test_a_set_that_is_the_class(tmp_path: Path) -> None:
    rows = [[f"{name}.jpg", "cat" if name in "ace" else "dog"] for name in "abcdef"]
    files = pictures(*(row[0] for row in rows)) | {"labels.csv": table(["image", "set"], rows)}
    source = read_dataset(write(tmp_path, files))
    assert (source.names, {item.split for item in source.items}) == (["cat", "dog"], {None})
