"""Revisions of a dataset: what creates another one, what persists, what trainings refer to, and what is removed."""

import io
import os
import signal
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.config import settings
from app.database import writing
from app.extensions import db
from app.models import Dataset, DatasetRevision, Training, now
from app.services.janitor import Janitor
from app.services.trainer.launch import data_of
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import image_bytes, valid_dataset, yolo_files, zip_bytes
from tests.routes.test_dataset_children import big_zip, child_of, next_child
from tests.routes.test_datasets import ENGLISH, upload, wait_for_dataset


def files(count: int = 20) -> dict[str, bytes | str]:
    """Two classes, no split, all images different."""
    content: dict[str, bytes | str] = {"data.yaml": "names: [cat, dog]\n"}
    for number in range(count):
        content[f"images/{number:03}.jpg"] = image_bytes((96, 64), (number, 8 + number, 40 + 2 * number, 60))
        content[f"labels/{number:03}.txt"] = f"{number % 2} 0.5 0.5 0.5 0.5\n"
    return content


def finished_revision(client: FlaskClient, dataset_id: int, seconds: float = 180) -> dict[str, Any]:
    """The newest revision once it is ready or has failed."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        row = client.get(f"/api/datasets/{dataset_id}/revisions", headers=ENGLISH).json["revisions"][0]
        if row["status"] != "building":
            return row
        time.sleep(0.05)
    raise AssertionError("still building")


def revise(client: FlaskClient, dataset_id: int = 1, **changes: Any) -> Any:
    return client.post(f"/api/datasets/{dataset_id}/revisions", json=changes, headers=ENGLISH)


def tree(folder: Path) -> dict[str, bytes]:
    """Images and labels of a revision, as a training reads them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for kind in ("images", "labels")
        for path in sorted((folder / kind).rglob("*"))
        if path.is_file()
    }


def test_a_split_is_what_was_promised(client: FlaskClient) -> None:
    """For shares, for another seed, and as in the upload: the numbers shown before are those of the new version."""
    upload(client, zip_bytes(files(24)))
    wait_for_dataset(client, 1)
    for split in (
        {"train": 50, "val": 25, "test": 25, "seed": 3},
        {"train": 90, "val": 10, "test": 0, "seed": 8},
        None,
    ):
        answer = client.post("/api/datasets/1/split-preview", json={"split": split}, headers=ENGLISH)
        assert answer.status_code == 200, answer.text
        promise = answer.json
        assert revise(client, split=split).status_code == 202
        row = finished_revision(client, 1)
        assert row["status"] == "ready", row
        dataset = client.get("/api/datasets/1").json
        assert promise["splits"] == {name: dataset[f"{name}_images"] for name in ("train", "val", "test")}
        assert [item["name"] for item in promise["classes"]] == ["cat", "dog"]
        assert all(item["train"] and item["val"] for item in promise["classes"])
        assert sum(item["val"] for item in promise["classes"]) == promise["splits"]["val"], "one class an image"
    assert client.post("/api/datasets/1/split-preview", json={"split": {"val": 0}}).status_code == 422
    assert client.post("/api/datasets/9/split-preview", json={"split": None}).status_code == 404


def test_another_split_and_back(client: FlaskClient, app: APIFlask) -> None:
    upload(client, zip_bytes(files()))
    first = wait_for_dataset(client, 1)
    assert (first["revision"], first["format"], first["original"]["name"]) == (1, "yolo", "set.zip")
    assert first["total_images"] == 20
    assert [item["code"] for item in first["report"]["decisions"]] == ["split_made"]
    assert first["report"]["decisions"][0]["change"]["parameter"] == "split"
    root = Path(app.config["DATA_ROOT"])
    folder = root / "datasets/1"
    before = tree(folder / "revisions/1")

    answer = revise(client, split={"train": 50, "val": 50, "test": 0, "seed": 7})
    assert (answer.status_code, answer.json["revision"], answer.json["status"]) == (202, 2, "building")
    row = finished_revision(client, 1)
    assert (row["status"], row["current"], row["origin"]["kind"]) == ("ready", True, "options")
    assert (row["train_images"], row["val_images"], row["test_images"]) == (10, 10, 0)
    assert row["options"]["split"]["seed"] == 7
    second = client.get("/api/datasets/1").json
    assert (second["status"], second["revision"], second["val_images"]) == ("valid", 2, 10)
    assert os.readlink(folder / "images") == "revisions/2/images"
    assert yaml.safe_load((folder / "dataset.yaml").read_text())["path"] == str(folder / "revisions/2")
    assert tree(folder / "revisions/1") == before, "an earlier revision stays as it was"
    assert len(list((root / "objects").rglob("*"))) - len(list((root / "objects").iterdir())) == 20, "stored once"

    assert client.post("/api/datasets/1/revisions/1/use").status_code == 200
    third = client.get("/api/datasets/1").json
    assert (third["revision"], third["val_images"]) == (1, first["val_images"])
    assert os.readlink(folder / "images") == "revisions/1/images"
    assert client.post("/api/datasets/1/revisions/9/use").status_code == 404
    hashes = {row["number"]: row["hash"] for row in client.get("/api/datasets/1/revisions").json["revisions"]}
    assert hashes[1] != hashes[2]
    assert len(hashes[1]) == 64


def test_classes_are_renamed_and_merged(client: FlaskClient, app: APIFlask) -> None:
    upload(client, zip_bytes(files()))
    wait_for_dataset(client, 1)
    assert revise(client, rename={"dog": "hound"}).status_code == 202
    assert finished_revision(client, 1)["classes"] == ["cat", "hound"]
    assert revise(client, rename={"hound": "animal", "cat": "animal"}).status_code == 202
    row = finished_revision(client, 1)
    assert (row["classes"], row["options"]["rename"]) == (["animal"], {"dog": "animal", "cat": "animal"})
    folder = Path(app.config["DATA_ROOT"], "datasets/1/revisions/3")
    labels = [content for name, content in tree(folder).items() if name.endswith(".txt")]
    assert set(labels) == {b"0 0.5 0.5 0.5 0.5\n"}
    body = client.get("/api/datasets/1", headers=ENGLISH).json
    assert body["report"]["boxes"] == {"0": 20}
    assert "classes_merged" in {item["code"] for item in body["report"]["decisions"]}
    unknown = revise(client, rename={"bird": "x"})
    assert (unknown.status_code, "bird" in unknown.json["detail"]) == (422, True)
    assert client.get("/api/datasets/1/revisions").json["revisions"][0]["number"] == 3, "nothing is left of it"
    assert revise(client, rename=None).status_code == 202
    assert finished_revision(client, 1)["classes"] == ["cat", "dog"], "null takes the choice back"
    assert revise(client, names=["Katze", "Hund"]).status_code == 202
    assert finished_revision(client, 1)["classes"] == ["Katze", "Hund"]


def test_options_of_the_form(client: FlaskClient) -> None:
    fields = {"rename": '{"cat": "dog"}', "split": '{"train": 1, "val": 1, "test": 0}'}
    assert upload(client, zip_bytes(files()), **fields).status_code == 201
    body = wait_for_dataset(client, 1)
    assert (body["classes"], body["train_images"], body["val_images"]) == (["dog"], 10, 10)
    for wrong in (
        {"split": "{"},
        {"split": '{"train": 0}'},
        {"rename": '["a"]'},
        {"names": '["../../pwn"]'},
        {"task": "x"},
    ):
        assert upload(client, zip_bytes(files()), **wrong).status_code == 422, wrong
    assert client.get("/api/datasets").json["total"] == 1


def test_requested_names_are_no_guess_of_the_import(client: FlaskClient) -> None:
    unnamed = {name: content for name, content in files().items() if name != "data.yaml"}
    upload(client, zip_bytes(unnamed), names='["Katze", "Hund"]')
    body = wait_for_dataset(client, 1)
    decisions = {item["code"]: item for item in body["report"]["decisions"]}
    assert (body["classes"], decisions.keys()) == (["Katze", "Hund"], {"names_given", "split_made"})
    assert decisions["names_given"]["change"] == {"parameter": "names", "value": ["Katze", "Hund"], "options": None}
    upload(client, zip_bytes(unnamed))
    assert "classes_unnamed" in {item["code"] for item in wait_for_dataset(client, 2)["report"]["decisions"]}
    assert revise(client, 2, names=["Katze", "Hund"]).status_code == 202
    finished_revision(client, 2)
    codes = {item["code"] for item in client.get("/api/datasets/2").json["report"]["decisions"]}
    assert codes == {"names_given", "split_made"}


def test_a_task_that_the_labels_do_not_fit(client: FlaskClient) -> None:
    """Boxes as outlines: the former revision stays in use, and the reason is about the labels."""
    upload(client, zip_bytes(files()))
    wait_for_dataset(client, 1)
    assert revise(client, task="segment").status_code == 202
    row = finished_revision(client, 1)
    assert (row["status"], row["current"], row["task"]) == ("ready", False, "segment")
    assert "“Segmentation” needs polygons" in row["error"]
    body = client.get("/api/datasets/1").json
    assert (body["status"], body["revision"], body["task"]) == ("valid", 1, "detect")
    assert client.post("/api/datasets/1/revisions/2/use").status_code == 409


def test_another_task_and_fixes_in_one_revision(client: FlaskClient) -> None:
    """Boxes become the outlines that the task needs, and stay so in later revisions."""
    upload(client, zip_bytes(files()))
    wait_for_dataset(client, 1)
    for wrong in ("class_few", "no_such"):
        answer = revise(client, task="segment", fixes=[wrong])
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "fixes")
    assert revise(client, task="segment", fixes=[]).status_code == 422
    assert len(client.get("/api/datasets/1/revisions").json["revisions"]) == 1
    assert revise(client, task="segment", fixes=["label_box", "mixed_rows"]).status_code == 202
    row = finished_revision(client, 1)
    assert (row["number"], row["current"], row["task"], row["error"]) == (2, True, "segment", None)
    assert [(item["code"], item["rows"]) for item in row["effects"]] == [("label_box", 20)]
    (image,) = client.get("/api/datasets/1/images?per_page=1").json["images"]
    (shape,) = image["objects"]
    assert (shape["kind"], len(shape["points"])) == ("obb", 4)
    assert revise(client, rename={"cat": "animal"}).status_code == 202
    row = finished_revision(client, 1)
    assert (row["current"], row["task"], row["classes"]) == (True, "segment", ["animal", "dog"])


def test_of_several_formats_another_one_and_back(client: FlaskClient) -> None:
    xml = (
        "<annotation><size><width>96</width><height>64</height></size><object><name>x</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    upload(client, zip_bytes(files() | {f"Annotations/{number:03}.xml": xml for number in range(20)}))
    wait_for_dataset(client, 1)

    def format_decision() -> dict[str, Any]:
        decisions = client.get("/api/datasets/1", headers=ENGLISH).json["report"]["decisions"]
        return next(item for item in decisions if item["code"] == "format_chosen")

    assert "Format used: YOLO. Not used: Pascal VOC." in format_decision()["message"]
    assert format_decision()["change"] == {"parameter": "format", "value": "yolo", "options": ["yolo", "voc"]}
    assert revise(client, format="voc", root="").status_code == 202
    assert finished_revision(client, 1)["classes"] == ["cat", "dog", "x"]
    assert format_decision()["change"] == {"parameter": "format", "value": "voc", "options": ["voc", "yolo"]}
    assert revise(client, format="yolo", root="").status_code == 202
    assert finished_revision(client, 1)["classes"] == ["cat", "dog"]


def test_of_several_datasets_another_root(client: FlaskClient) -> None:
    both = {f"a/{name}": content for name, content in yolo_files(6, 2).items()}
    both |= {f"b/{name}": content for name, content in yolo_files(3, 2).items()}
    upload(client, zip_bytes(both))
    first = wait_for_dataset(client, 1)
    assert first["total_images"] == 8
    (chosen,) = [item for item in first["report"]["decisions"] if item["code"] == "root_chosen"]
    assert (chosen["change"]["parameter"], chosen["change"]["value"]) == ("root", "a")
    assert "b" in chosen["change"]["options"]
    assert revise(client, root="b").status_code == 202
    assert finished_revision(client, 1)["total_images"] == 5
    assert revise(client, root="c").status_code == 422
    assert revise(client, root=None, merge=True).status_code == 202
    assert finished_revision(client, 1)["total_images"] == 13


def test_a_training_stays_on_its_revision(client: FlaskClient, app: APIFlask) -> None:
    upload(client, zip_bytes(files()))
    wait_for_dataset(client, 1)
    later = (now() + timedelta(days=1)).isoformat()
    body = {"dataset_id": 1, "model_version": "n", "epochs": 1, "start_not_before": later}
    first_id = client.post("/api/trainings", json=body).json["training_id"]
    revise(client, split={"train": 1, "val": 1, "test": 0})
    second = finished_revision(client, 1)
    second_id = client.post("/api/trainings", json=body).json["training_id"]
    rows = {row["number"]: row for row in client.get("/api/datasets/1/revisions").json["revisions"]}
    assert {number: row["trainings"] for number, row in rows.items()} == {1: [first_id], 2: [second_id]}
    training = client.get(f"/api/trainings/{first_id}").json
    assert (training["revision"], training["dataset_revision"]) == (1, rows[1]["hash"])
    with app.app_context():
        paths = [data_of(db.session.get(Training, number), settings(app)) for number in (first_id, second_id)]
        assert [path.parent.name for path in paths] == ["1", "2"]
        assert all(path.is_file() for path in paths)
    assert client.get(f"/api/trainings/{second_id}").json["dataset_revision"] == second["hash"]
    assert client.delete("/api/datasets/1").status_code == 409


def test_deleting_removes_files_and_the_janitor_unused_images(client: FlaskClient, app: APIFlask) -> None:
    shared = files(12)
    upload(client, zip_bytes(shared))
    upload(client, zip_bytes(files(16)))
    for dataset_id in (1, 2):
        wait_for_dataset(client, dataset_id)
    objects = Path(app.config["DATA_ROOT"], "objects")

    def stored() -> int:
        return sum(path.is_file() for path in objects.rglob("*"))

    assert stored() == 16, "both datasets have the same twelve"
    client.delete("/api/datasets/2")
    wait_until(lambda: not list(Path(app.config["DATA_ROOT"], "tmp").iterdir()))
    with app.app_context():
        janitor = Janitor(app.extensions["services"])
        assert janitor.remove_objects(now()) == 0, "too new to be sure"
        assert janitor.remove_objects(now() + timedelta(hours=2)) == 4
    assert stored() == 12
    assert wait_for_dataset(client, 1)["status"] == "valid"
    remaining = tree(Path(app.config["DATA_ROOT"], "datasets/1")).values()
    assert set(remaining) == {
        content if isinstance(content, bytes) else content.encode()
        for name, content in shared.items()
        if name != "data.yaml"
    }


def wait_until(reached: Any, seconds: float = 180) -> None:
    limit = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_one_at_a_time_and_not_without_the_raw_files(client: FlaskClient, app: APIFlask) -> None:
    upload(client, zip_bytes(files()))
    wait_for_dataset(client, 1)
    for wrong in ({"split": {"val": 0}}, {"names": ["a"] * 1001}, {"other": 1}, {"task": "x"}, {"rename": {"a": ""}}):
        assert revise(client, **wrong).status_code == 422, wrong
    with app.app_context(), writing() as session:
        session.add(DatasetRevision(dataset_id=1, number=2))
    assert revise(client, split={"seed": 1}).status_code == 409
    before = valid_dataset(app)
    assert revise(client, before).status_code == 409
    assert revise(client, 99).status_code == 404
    assert client.get("/api/datasets/99/revisions").status_code == 404


def export_dataset(client: FlaskClient, address: str) -> Any:
    """The response with the ZIP; on a slow machine, after that with the job."""
    answer = client.get(address)
    if answer.status_code == 202:
        assert answer.headers["Location"] == f"/api/jobs/{answer.json['job_id']}"
        wait_until(lambda: client.get(answer.headers["Location"]).json["status"] == "completed", 60)
        answer = client.get(address)
    return answer


def test_the_original_and_an_export(client: FlaskClient) -> None:
    data = zip_bytes(files())
    upload(client, data, filename="meine Katzen.zip", name="Cats & dogs")
    wait_for_dataset(client, 1)
    original = client.get("/api/datasets/1/original")
    assert (original.status_code, original.data) == (200, data)
    assert "meine" in original.headers["Content-Disposition"]
    forms = (("yolo", "data.yaml"), ("coco", "annotations"), ("voc", "Annotations"))
    for jobs_before, (form, inside) in enumerate(forms):
        address = f"/api/datasets/1/export?format={form}"
        head = client.head(address)
        assert (head.status_code, client.get("/api/jobs?kind=export_dataset").json["total"]) == (202, jobs_before), (
            "HEAD makes nothing"
        )
        answer = export_dataset(client, address)
        assert client.head(address).headers["Content-Length"] == str(len(answer.data))
        assert (answer.status_code, answer.mimetype) == (200, "application/zip")
        assert f"Cats-dogs-r1-{form}.zip" in answer.headers["Content-Disposition"]
        with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
            assert archive.testzip() is None
            assert any(inside in name for name in archive.namelist()), archive.namelist()
    assert client.get("/api/datasets/1/export?format=voc").data == answer.data
    jobs = client.get("/api/jobs?kind=export_dataset").json
    assert jobs["total"] == 3, "each is made once"
    assert jobs["jobs"][0]["subject"] == {"type": "dataset", "id": 1}
    assert jobs["jobs"][0]["result"]["url"] == "/api/datasets/1/export?format=voc&revision=1"
    assert client.get("/api/datasets/1/export?format=csv").status_code == 422
    assert client.get("/api/datasets/1/export?format=coco&revision=9").status_code == 404
    assert client.get("/api/datasets/9/original").status_code == 404


def test_a_dataset_from_before_revisions_is_migrated(app: APIFlask, tmp_path: Path) -> None:
    """Its files become the source, its trainings refer to the first revision; nothing is copied."""
    free, busy = valid_dataset(app), valid_dataset(app)
    with app.app_context(), writing() as session:
        session.add(Training(name="done", dataset_id=free, model_version="n", status="completed"))
        session.add(Training(name="waits", dataset_id=busy, model_version="n", status="paused"))
    folder = Path(app.config["DATA_ROOT"], "datasets", str(free))
    before = tree(folder)
    inode = (folder / "images/train/000.jpg").stat().st_ino
    again = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    client = again.test_client()
    wait_until(lambda: client.get(f"/api/datasets/{free}").json["revision"] == 1, 60)
    body = client.get(f"/api/datasets/{free}").json
    assert (body["status"], body["total_images"], body["classes"], body["original"]) == ("valid", 8, ["thing"], None)
    wait_until(lambda: (folder / "images").is_symlink())
    assert sorted(tree(folder).values()) == sorted(before.values())
    assert any(path.stat().st_ino == inode for path in (folder / "images/train").iterdir())
    assert (folder / "source/images/train/000.jpg").stat().st_ino == inode
    rows = client.get(f"/api/datasets/{free}/revisions").json["revisions"]
    assert (rows[0]["origin"]["kind"], len(rows[0]["trainings"])) == ("adopted", 1)
    assert client.get(f"/api/datasets/{busy}").json["revision"] is None, "a training that has not ended uses it"
    assert client.post(f"/api/datasets/{free}/revisions", json={"rename": {"thing": "box"}}).status_code == 202
    assert finished_revision(client, free)["classes"] == ["box"]
    close_app(again)


def test_after_a_kill_a_revision_restarts(client: FlaskClient, app: APIFlask, tmp_path: Path) -> None:
    """The files of a killed server's child are removed, and the next child creates the row's revision."""
    upload(client, zip_bytes(files()))
    wait_for_dataset(client, 1)
    folder = Path(app.config["DATA_ROOT"], "datasets/1/revisions")
    (folder / ".2-abc/images").mkdir(parents=True)
    (folder / "2/images").mkdir(parents=True)
    (folder / "7").mkdir()
    (Path(app.config["DATA_ROOT"]) / "ingests/x").mkdir(parents=True)
    with app.app_context(), writing() as session:
        options = session.get_one(Dataset, 1).revisions[0].options | {"split": {"train": 1, "val": 1, "test": 0}}
        session.add(DatasetRevision(dataset_id=1, number=2, options=options, origin={"kind": "options"}))
    again = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    row = finished_revision(again.test_client(), 1)
    assert (row["number"], row["status"], row["val_images"], row["current"]) == (2, "ready", 10, True)
    wait_until(lambda: sorted(path.name for path in folder.iterdir()) == ["1", "2"])
    close_app(again)


def test_a_killed_second_revision_leaves_the_first(client: FlaskClient, app: APIFlask) -> None:
    upload(client, big_zip(60))
    first = wait_for_dataset(client, 1)
    assert revise(client, split={"train": 1, "val": 1, "test": 0}).status_code == 202
    killed = child_of(app, 1)
    os.kill(killed, signal.SIGKILL)
    os.kill(next_child(app, 1, killed), signal.SIGKILL)
    row = finished_revision(client, 1)
    assert (row["number"], row["status"], row["current"], "SIGKILL" in row["error"]) == (2, "failed", False, True)
    body = client.get("/api/datasets/1").json
    assert (body["status"], body["revision"], body["val_images"]) == ("valid", 1, first["val_images"])
    assert [path.name for path in Path(app.config["DATA_ROOT"], "datasets/1/revisions").iterdir()] == ["1"]
    assert revise(client, split={"train": 1, "val": 1, "test": 0}).status_code == 202
    assert finished_revision(client, 1)["number"] == 3
