"""Images, findings, statistics and reports of a dataset over REST, on an index that the import wrote; fixing."""

import csv
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.data import zip_bytes
from tests.routes.test_datasets import ENGLISH, upload, wait_for_dataset
from tests.worker.quality.helpers import GOOD, picture

PORTUGUESE = {"Accept-Language": "pt-BR"}


def messy() -> bytes:
    """Ten images: a broken one, one with a bad row, a leak, a class out of range in a file named like a formula."""
    files: dict[str, bytes | str] = {"data.yaml": "train: images/train\nval: images/val\nnames: [cell, '=1+1']\n"}
    for number in range(6):
        files[f"images/train/{number}.jpg"] = picture(str(number), size=(640, 480))
        files[f"labels/train/{number}.txt"] = f"{number % 2} 0.5 0.5 0.{number + 1} 0.25\n"
    for number in range(2):
        files[f"images/val/v{number}.jpg"] = picture(f"v{number}")
        files[f"labels/val/v{number}.txt"] = GOOD
    files["images/val/copy.jpg"] = files["images/train/0.jpg"]
    files["labels/val/copy.txt"] = files["labels/train/0.txt"]
    files["images/train/broken.jpg"] = b"no image"
    files["labels/train/broken.txt"] = GOOD
    files["labels/train/1.txt"] = "1 0.5 0.5 0.2 0.25\n0 nan 0.5 0.5 0.5\n"
    files["images/train/=cmd.jpg"] = picture("formula")
    files["labels/train/=cmd.txt"] = GOOD + "7 0.5 0.5 0.5 0.5\n"
    return zip_bytes(files)


@pytest.fixture
def dataset(client: FlaskClient) -> FlaskClient:
    """A client of a server whose dataset 1 is `messy`."""
    assert upload(client, messy()).status_code == 201
    assert wait_for_dataset(client, 1)["status"] == "valid"
    return client


def get(client: FlaskClient, path: str, status: int = 200, headers: dict[str, str] = ENGLISH) -> Any:
    answer = client.get(f"/api/datasets/1/{path}", headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)[:500]
    return answer if status == 200 and not answer.is_json else answer.json


def finished_revision(client: FlaskClient, number: int) -> dict[str, Any]:
    for _ in range(600):
        revision = next(item for item in get(client, "revisions")["revisions"] if item["number"] == number)
        if revision["status"] != "building":
            return revision
        time.sleep(0.05)
    raise AssertionError("still building")


def test_images(dataset: FlaskClient) -> None:
    page = get(dataset, "images?per_page=4&page=2")
    assert (page["total"], page["pages"], page["page"], page["per_page"], page["revision"]) == (11, 3, 2, 4, 1)
    assert len(page["images"]) == 4
    (one,) = get(dataset, "images?search=train/3.jpg")["images"]
    assert (one["file"], one["split"], one["width"], one["height"]) == ("images/train/3.jpg", "train", 640, 480)
    assert one["objects"] == [{"class": 1, "kind": "box", "box": [0.5, 0.5, 0.4, 0.25], "line": 1}]
    assert (one["findings"], one["used"]) == ([], True)
    size = (0.4 * 640 * 0.25 * 480) ** 0.5
    for query, expected in {
        "class=1&split=train": 3,
        "finding=label_nan": 1,
        "split=val": 3,
        f"class=1&min_size={size - 1}&max_size={size + 1}": 1,
        "min_objects=2": 1,
    }.items():
        assert get(dataset, f"images?{query}")["total"] == expected, query
    for wrong in ("split=x", "class=-1", "sort=password", "per_page=101", "min_size=nan", "page=0"):
        get(dataset, f"images?{wrong}", 422)
    get(dataset, "images?revision=2", 404)


def test_one_image_and_its_files(dataset: FlaskClient, app: APIFlask) -> None:
    (row,) = get(dataset, "images?finding=label_nan")["images"]
    one = get(dataset, f"images/{row['id']}")
    (finding,) = [item for item in one["findings"] if item["code"] == "label_nan"]
    assert (finding["file"], finding["line"]) == ("labels/train/1.txt", 2)
    assert finding["effect"].startswith("One invalid row is enough")
    assert "removed" in finding["fix"]
    full_size = dataset.get(row["url"])
    assert full_size.data == picture("1", size=(640, 480))
    assert full_size.headers["Content-Type"] == "image/jpeg"
    small = dataset.get(row["thumbnail"])
    assert small.headers["Content-Type"] == "image/webp"
    assert "immutable" in small.headers["Cache-Control"]
    thumbnail = dataset.get(f"/api/datasets/1/images/{row['id']}/thumbnail")
    assert "immutable" not in (thumbnail.headers["Cache-Control"] or ""), "another dataset may get this id"
    assert dataset.get(row["url"], headers={"If-None-Match": full_size.headers["ETag"]}).status_code == 304
    (broken,) = get(dataset, "images?finding=image_broken")["images"]
    assert (broken["url"], broken["thumbnail"], broken["used"]) == (None, None, False)
    for kind in ("file", "thumbnail"):
        assert "was left out" in get(dataset, f"images/{broken['id']}/{kind}", 404)["detail"]
    for path in ("images/99", "images/99/file", "images/0", "images/x"):
        get(dataset, path, 404)
    assert len(list(Path(app.config["DATA_ROOT"]).glob("datasets/1/thumbnails/*/*.webp"))) == 9, "a copy has no other"


def test_findings_statistics_and_summary(dataset: FlaskClient) -> None:
    page = get(dataset, "findings?per_page=100")
    by_code = {item["code"]: item for item in page["codes"]}
    assert {code: item["count"] for code, item in by_code.items() if item["severity"] == "error"} == {
        "image_broken": 1,
        "label_nan": 1,
        "class_out_of_range": 1,
    }
    assert by_code["leak_exact"]["fixable"] == 1
    assert (by_code["class_few"]["images"], by_code["label_nan"]["images"]) == (0, 1)
    assert page["counts"]["error"] == 3
    assert page["counts"]["fixable"] == 4
    assert [item["severity"] for item in page["findings"]][:3] == ["error"] * 3
    assert get(dataset, "findings?fixable=true&severity=error")["total"] == 3
    leak = get(dataset, "findings?code=leak_exact")["findings"][0]
    assert leak["file"] == "images/val/copy.jpg"
    assert (leak["other"]["file"], leak["other"]["split"]) == ("images/train/0.jpg", "train"), "the twin is named"
    assert dataset.get(leak["other"]["url"]).mimetype == "image/jpeg"
    mine = get(dataset, f"images/{leak['image_id']}")["findings"]
    assert [item["other"] for item in mine if item["code"] == "leak_exact"] == [leak["other"]]
    assert get(dataset, "findings?code=label_nan")["findings"][0]["other"] is None
    get(dataset, "findings?severity=bad", 422)
    body = dataset.get("/api/datasets/1", headers=ENGLISH).json
    assert body is not None
    assert (body["summary"]["used"], body["summary"]["total"]) == (8, 11)
    assert {item["code"]: item["message"] for item in body["summary"]["left_out"]} == {
        "image_broken": "Corrupt images",
        "label_nan": "Non-finite values",
        "class_out_of_range": "Class IDs that don't exist",
    }
    counted = get(dataset, "statistics")
    assert [item["name"] for item in counted["classes"]] == ["cell", "=1+1"]
    assert counted["classes"][0]["objects"] == {"train": 3, "val": 3, "test": 0}
    assert counted["splits"]["train"] == {"images": 8, "used": 5, "objects": 5, "background": 0}
    assert len(counted["heatmap"]["cells"]) == counted["heatmap"]["size"] ** 2


def test_reports(dataset: FlaskClient) -> None:
    report = json.loads(dataset.get("/api/datasets/1/report.json", headers=ENGLISH).data)
    page = get(dataset, "findings?per_page=100")
    listed = [{name: value for name, value in item.items() if name != "other"} for item in page["findings"]]
    assert report["findings"] == listed, "but for the addresses of a twin"
    assert (report["counts"], report["codes"]) == (page["counts"], page["codes"])
    assert report["summary"]["used"] == 8
    answer = dataset.get("/api/datasets/1/report.csv", headers=PORTUGUESE)
    assert answer.headers["Content-Disposition"] == "attachment; filename=dataset-1-findings.csv"
    lines = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))
    assert len(lines) == len(page["findings"])
    assert not any(cell.startswith(("=", "+", "@")) for line in lines for cell in line.values())
    nan = next(line for line in lines if line["code"] == "label_nan")
    assert (nan["file"], nan["line"], nan["message"]) == ("labels/train/1.txt", "2", "Um valor não é um número finito.")


def test_fix_all(dataset: FlaskClient, app: APIFlask) -> None:
    folder = Path(app.config["DATA_ROOT"], "datasets/1")
    files = [path for part in ("source", "revisions/1") for path in (folder / part).rglob("*") if path.is_file()]
    first = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert dataset.post("/api/datasets/1/fix", json={"codes": ["label_bom"]}, headers=ENGLISH).status_code == 422
    for wrong in ({}, {"codes": "some"}, {"codes": []}, {"codes": [1]}, {"codes": ["leak"], "x": 1}):
        assert dataset.post("/api/datasets/1/fix", json=wrong).status_code == 422
    answer = dataset.post("/api/datasets/1/fix", json={"codes": "all"}, headers=ENGLISH)
    assert (answer.status_code, answer.json["revision"], answer.json["status"]) == (202, 2, "building")
    revision = finished_revision(dataset, 2)
    assert revision["status"] == "ready"
    effects = {item["code"]: item for item in revision["effects"]}
    assert effects.keys() == {"image_broken", "label_nan", "class_out_of_range", "leak_exact", "duplicate_image"}
    assert (effects["label_nan"]["rows"], effects["label_nan"]["files"]) == (1, ["labels/train/1.txt"])
    assert effects["image_broken"]["message"] == "Corrupt images: 1 image fixed, moved or removed."
    page = get(dataset, "findings")
    assert (page["revision"], page["counts"]["error"], page["counts"]["fixable"]) == (2, 0, 0)
    body = dataset.get("/api/datasets/1").json
    assert body is not None
    assert (body["summary"]["used"], body["summary"]["total"]) == (9, 9), "the broken one and the copy are removed"
    assert (folder / "revisions/2/labels/train/1.txt").read_text() == "1 0.5 0.5 0.2 0.25\n"
    assert get(dataset, "findings?revision=1")["counts"]["error"] == 3
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in first} == first
    again = dataset.post("/api/datasets/1/fix", json={"codes": "all"}, headers=ENGLISH)
    assert (again.status_code, again.json["detail"]) == (409, "This dataset has no fixable issues.")


def test_before_there_is_a_revision(client: FlaskClient, app: APIFlask) -> None:
    from app.database import writing
    from app.models import Dataset

    with app.app_context(), writing() as session:
        session.add(Dataset(name="new"))
    for path in ("images", "images/1", "statistics", "findings", "report.json", "report.csv"):
        get(client, path, 409)
    assert client.get("/api/datasets/7/images").status_code == 404
    assert client.post("/api/datasets/7/fix", json={"codes": "all"}).status_code == 404


def test_findings_of_annotations_belong_to_their_images(client: FlaskClient) -> None:
    """A VOC file numbers its objects; the image is that of the revision, whose folders differ."""
    box = "<object><name>cell</name><bndbox><xmin>{0}</xmin><ymin>5</ymin><xmax>20</xmax><ymax>30</ymax></bndbox>"
    box += "</object>"
    files: dict[str, bytes | str] = {}
    for number in range(4):
        files[f"VOC/JPEGImages/{number}.jpg"] = picture(str(number))
        objects = box.format(5) + ((box.format(20) + box.format(8)) if number == 2 else "")
        files[f"VOC/Annotations/{number}.xml"] = f"<annotation><filename>{number}.jpg</filename>{objects}</annotation>"
    files["VOC/Annotations/gone.xml"] = f"<annotation><filename>gone.jpg</filename>{box.format(5)}</annotation>"
    assert upload(client, zip_bytes(files)).status_code == 201
    wait_for_dataset(client, 1)
    findings = {item["code"]: item for item in get(client, "findings")["findings"]}
    flat = findings["object_degenerate"]
    assert (flat["file"], flat["line"]) == ("VOC/Annotations/2.xml", 2)
    assert findings["image_missing"]["image_id"] is None

    (listed,) = get(client, "images?finding=object_degenerate")["images"]
    assert listed["id"] == flat["image_id"]
    assert listed["file"].endswith("/2.jpg")
    assert "object_degenerate" in listed["findings"]
    assert get(client, "images?finding=image_missing")["total"] == 0
    one = get(client, f"images/{listed['id']}")
    assert [item for item in one["findings"] if item["code"] == "object_degenerate"] == [flat]
    assert [item["line"] for item in one["objects"]] == [1, 3], "numbered as in the file, where the second one was"
    assert flat["image"] == listed["file"]
    assert get(client, f"findings?search={listed['file']}")["findings"] == [flat]
    split = get(client, f"findings?code=object_degenerate&split={listed['split']}")
    assert split["findings"] == [flat]
    (exported,) = [item for item in get(client, "report.json")["findings"] if item["code"] == "object_degenerate"]
    assert exported["image_id"] == listed["id"]
