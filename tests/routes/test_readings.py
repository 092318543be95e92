"""An interpretation that the import chose: reported, drawn, changed without another upload, confirmed, and stored."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.data import image_bytes, zip_bytes
from tests.routes.test_datasets import ENGLISH, upload, wait_for_dataset
from tests.routes.test_revisions import finished_revision, revise


def files(rows: dict[int, str], names: str = "[cat, dog]") -> dict[str, bytes | str]:
    """Images with one label file each, no split."""
    content: dict[str, bytes | str] = {"data.yaml": f"names: {names}\n"}
    for number, text in rows.items():
        content[f"images/{number:03}.jpg"] = image_bytes((96, 64), (number, 8 + number, 40 + 2 * number, 60))
        content[f"labels/{number:03}.txt"] = text
    return content


def one_based() -> bytes:
    return zip_bytes(files({number: f"{1 + number % 2} 0.5 0.5 0.25 0.5\n" for number in range(12)}))


def reading_of(body: dict[str, Any]) -> dict[str, Any]:
    [decision] = [item for item in body["report"]["decisions"] if item["code"].startswith("reading_")]
    return decision


def counts(body: dict[str, Any]) -> dict[str, int]:
    return {body["classes"][int(number)]: count for number, count in body["report"]["boxes"].items()}


def test_a_reading_is_reported_and_confirmed(client: FlaskClient) -> None:
    assert upload(client, one_based()).status_code == 201
    body = wait_for_dataset(client, 1)
    assert (body["status"], body["needs_review"]) == ("valid", True)
    assert counts(body) == {"cat": 6, "dog": 6}
    decision = reading_of(body)
    assert decision["code"] == "reading_one_based"
    assert decision["change"] == {"parameter": "reading", "value": "one_based", "options": ["one_based", "zero_based"]}
    assert "start at 1" in decision["message"]
    assert [way["label"] for way in decision["readings"]] == ["Classes start at 1", "Classes start at 0"]
    assert len(decision["examples"]) == 3
    for example in decision["examples"]:
        assert client.get(example["thumbnail"]).status_code == 200
        assert [drawn["class"] + 1 for drawn in example["drawn"]["one_based"]] == [
            drawn["class"] for drawn in example["drawn"]["zero_based"]
        ]
    answer = client.post("/api/datasets/1/review", headers=ENGLISH)
    assert (answer.status_code, answer.json["needs_review"]) == (200, False)
    assert not client.get("/api/datasets").json["datasets"][0]["needs_review"]
    revise(client, split={"train": 50, "val": 50, "test": 0})
    assert finished_revision(client, 1)["status"] == "ready"
    later = wait_for_dataset(client, 1)
    assert (later["needs_review"], reading_of(later)["confirmed"], counts(later)) == (False, True, counts(body))


def test_another_reading_without_another_upload(client: FlaskClient) -> None:
    upload(client, one_based())
    first = wait_for_dataset(client, 1)
    assert revise(client, reading="zero_based").status_code == 202
    assert finished_revision(client, 1)["options"]["reading"] == ["zero_based"]
    body = wait_for_dataset(client, 1)
    assert reading_of(body)["code"] == "reading_zero_based"
    assert reading_of(body)["change"]["options"] == ["zero_based", "one_based"]
    assert not body["needs_review"], "a person has chosen"
    assert body["report"]["usable"]["train"] < first["report"]["usable"]["train"], "class 2 of two is none"
    revise(client, reading=None)
    finished_revision(client, 1)
    assert reading_of(wait_for_dataset(client, 1))["code"] == "reading_one_based"


def test_a_reading_is_chosen_at_the_upload(client: FlaskClient) -> None:
    upload(client, one_based(), reading="zero_based, centre")
    body = wait_for_dataset(client, 1)
    assert {item["code"] for item in body["report"]["decisions"]} >= {"reading_zero_based", "reading_centre"}
    assert not body["needs_review"]


def test_invalid_readings(client: FlaskClient) -> None:
    answer = upload(client, one_based(), reading="sideways")
    assert answer.status_code == 422
    assert "sideways" in answer.json["errors"][0]["message"]
    assert client.post("/api/datasets/7/review").status_code == 404


def test_usual_labels_are_no_choice(client: FlaskClient) -> None:
    upload(client, zip_bytes(files({number: f"{number % 2} 0.5 0.5 0.25 0.5\n" for number in range(6)})))
    body = wait_for_dataset(client, 1)
    assert not body["needs_review"]
    assert not [item for item in body["report"]["decisions"] if item["code"].startswith("reading_")]


def test_class_folders_beside_unread_labels_need_confirmation(client: FlaskClient) -> None:
    """They become a classification once a user confirms it."""
    images: dict[str, bytes | str] = {
        f"{kind}/{number}.jpg": image_bytes((96, 64), (number, 8 + number, 40 + 2 * number, 60))
        for kind, numbers in (("cat", range(4)), ("dog", range(4, 8)))
        for number in numbers
    }
    assert upload(client, zip_bytes(images | {"digitStruct.mat": b"MATLAB 5.0 MAT-file"})).status_code == 201
    body = wait_for_dataset(client, 1)
    assert body["status"] == "invalid"
    assert "digitStruct.mat" in body["error"]
    assert "Classification" in body["error"]
    revise(client, task="classify")
    body = wait_for_dataset(client, 1)
    assert (body["status"], body["task"], body["classes"]) == ("valid", "classify", ["cat", "dog"])


BESIDE = {
    "annotations.xlsx": (b"PK\3\4", "save the sheet as CSV"),
    "output.manifest": (b'{"source-ref": "s3://x/0.jpg"}', "SageMaker"),
    "train.tfrecord": (b"\0", "Export them as YOLO"),
    "labels.tar.gz": (b"\x1f\x8b", "extract this archive"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_refusal_names_files_likely_to_contain_labels(client: FlaskClient, name: str) -> None:
    """And suggests what to export instead, although many other files were skipped."""
    content, words = BESIDE[name]
    notes: dict[str, bytes | str] = {f"notes/{number}.docx": b"" for number in range(60)}
    answer = upload(client, zip_bytes({"photos/0.jpg": image_bytes()} | notes | {name: content}))
    assert answer.status_code == 422
    assert name in answer.json["detail"]
    assert words in answer.json["detail"]
