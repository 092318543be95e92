"""Presets for a new training, and warnings: the rules on chosen facts, and the two endpoints."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.services.trainer.advise.check import check
from app.services.trainer.advise.facts import Facts, MachineFacts, Sizes, sizes_of
from app.services.trainer.advise.memory import largest_batch, needed_bytes
from app.services.trainer.advise.presets import presets
from tests.data import valid_dataset

GB = 2**30
CPU = MachineFacts("cpu", "", 16 * GB, 8)
GPU = MachineFacts("0", "Card", 24 * GB, 8)
FACTS = Facts("detect", train=1000, val=200, classes=["a", "b"], boxes={0: 900, 1: 800}, machine=CPU)
VALUES: dict[str, Any] = {
    "epochs": 100,
    "batch_size": 16,
    "img_size": 640,
    "learning_rate": None,
    "params": {},
    "scratch": False,
}


@pytest.fixture(autouse=True)
def english(idle_app: APIFlask) -> Any:
    with idle_app.test_request_context(headers={"Accept-Language": "en"}):
        yield


def values_of(facts: Facts) -> dict[str, dict[str, Any]]:
    return {item["name"]: item["values"] for item in presets(facts)}


def codes(facts: Facts, version: str = "n", **changes: Any) -> dict[str, Any]:
    return {
        item["code"]: item["change"] and item["change"]["value"] for item in check(VALUES | changes, version, facts)
    }


def test_each_preset_has_values_and_a_reason_for_each() -> None:
    for facts in (
        FACTS,
        replace(FACTS, machine=GPU, sizes=Sizes(1920, 0.01)),
        replace(FACTS, task="classify", train=0),
    ):
        proposals = presets(facts)
        assert [item["name"] for item in proposals] == ["quick", "balanced", "best"]
        for item in proposals:
            assert {reason["field"] for reason in item["reasons"]} >= set(item["values"])
            assert all("%(" not in reason["message"] and len(reason["message"]) > 20 for reason in item["reasons"])
            assert item["values"]["img_size"] % 32 == 0


def test_more_is_wished_more_is_learned() -> None:
    quick, balanced, best = values_of(replace(FACTS, machine=GPU)).values()
    assert quick["epochs"] < balanced["epochs"] < best["epochs"]
    assert (quick["model_version"], balanced["model_version"], best["model_version"]) == ("n", "m", "l")


def test_a_processor_gets_small_models_and_few_pictures_small_batches() -> None:
    assert [item["model_version"] for item in values_of(FACTS).values()] == ["n", "n", "s"]
    assert values_of(replace(FACTS, train=10))["balanced"]["batch_size"] == 2
    assert values_of(replace(FACTS, train=10))["balanced"]["epochs"] == 200


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        (None, 640),
        (Sizes(192, 0.2), 192),  # drawn at 192 px: a larger size adds nothing
        (Sizes(1920, 0.10), 640),  # 64 px wide at 640
        (Sizes(1920, 0.0125), 960),  # 12 px, one and a half cells
        (Sizes(1920, 0.002), 1280),  # this is the maximum
        (Sizes(800, 0.005), 800),  # and never larger than the images
        (Sizes(1920, None), 640),  # no objects
    ],
)
def test_the_image_size_follows_the_objects(sizes: Sizes | None, size: int) -> None:
    assert values_of(replace(FACTS, sizes=sizes))["balanced"]["img_size"] == size


def test_memory_grows_with_the_area_and_decides_the_batch() -> None:
    fixed = needed_bytes("s", 320, 0, True)
    assert needed_bytes("s", 640, 8, True) - fixed == pytest.approx(
        4 * (needed_bytes("s", 320, 8, True) - fixed), abs=16
    )
    assert largest_batch("n", 640, 24 * GB, True) == 64
    assert largest_batch("n", 640, 24 * GB, True, most=100) == 64
    assert largest_batch("x", 1280, 8 * GB, True) < 4
    assert largest_batch("x", 1280, 1 * GB, True) == 1


def test_usual_values_have_no_warning() -> None:
    assert codes(FACTS) == {}
    assert codes(replace(FACTS, machine=GPU, sizes=Sizes(1920, 0.05)), "m") == {}


def test_unusual_values_have_a_warning_with_a_change() -> None:
    assert codes(replace(FACTS, machine=GPU), "x", batch_size=512) == {"batch_memory": 16}
    assert codes(replace(FACTS, machine=replace(GPU, memory=GB)), "x", img_size=1280, batch_size=4) == {"memory": None}
    assert codes(replace(FACTS, machine=replace(GPU, memory=GB)), "", img_size=1280) == {}, (
        "another family is not known"
    )
    assert codes(FACTS, "n", batch_size=1024, epochs=200, params={"device": "0"}) == {"batch_dataset": 250}
    assert codes(FACTS, batch_size=1) == {"batch_small": 4}
    assert codes(FACTS, img_size=650) == {"size_stride": 672}
    assert codes(replace(FACTS, sizes=Sizes(1920, 0.005))) == {"size_objects": 1600}
    assert codes(replace(FACTS, sizes=Sizes(200, 0.3))) == {"size_enlarged": 224}
    quick = values_of(FACTS)["quick"]["epochs"]
    assert codes(FACTS, epochs=1) == {"epochs_few": quick}, "not less than the preset beside it"
    scratch = presets(FACTS, lambda _model: False)[0]["values"]["epochs"]
    assert scratch > quick
    assert codes(FACTS, epochs=1, scratch=True) == {"epochs_few": scratch}
    assert codes(replace(FACTS, train=20), epochs=3, batch_size=16) == {"epochs_few": 50}, "2 iterations an epoch"
    fifth = {"fraction": 0.2}
    assert codes(FACTS, epochs=2, params=fifth) == {"epochs_few": 25}, "13 iterations an epoch, of 200 images"
    assert codes(FACTS, epochs=8, params=fifth) == {}
    assert codes(FACTS, epochs=2000) == {"epochs_many": None}
    assert set(codes(FACTS, learning_rate=0.3)) == {"rate_high"}
    assert set(codes(FACTS, learning_rate=0.01, params={"optimizer": "AdamW"})) == {"rate_high"}
    assert codes(FACTS, learning_rate=0.01) == {}
    assert codes(FACTS, "m") == {"model_slow": "n"}
    assert codes(replace(FACTS, machine=GPU, train=50), "x", epochs=100) == {"model_few": "s"}
    assert codes(replace(FACTS, val=0)) == {"val_none": None}
    assert codes(replace(FACTS, boxes={0: 900})) == {"classes_rare": None}


def write_index(folder: Path) -> None:
    """As the import writes it: 20 images of 1000 × 500 with square objects of 2 to 40 % of the width."""
    path = folder / "revisions" / "2" / "index.sqlite"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as index, index:
        index.execute("CREATE TABLE image(id INTEGER PRIMARY KEY, split TEXT, width INTEGER, height INTEGER)")
        index.execute("CREATE TABLE object(image_id INTEGER, class INTEGER, w REAL, h REAL)")
        for number in range(1, 21):
            index.execute("INSERT INTO image VALUES (?, 'train', 1000, 500)", (number,))
            index.execute("INSERT INTO object VALUES (?, 0, ?, ?)", (number, 0.02 * number, 0.04 * number))
        index.execute("INSERT INTO image VALUES (21, NULL, 9000, 9000)")
        index.execute("INSERT INTO object VALUES (21, 0, 0.001, 0.001)")


def test_sizes_come_from_the_index(tmp_path: Path) -> None:
    assert sizes_of(tmp_path, 2) is None
    write_index(tmp_path)
    sizes = sizes_of(tmp_path, 2)
    assert sizes is not None
    assert (sizes.picture, sizes.small) == (1000, pytest.approx(0.06))
    (tmp_path / "revisions" / "2" / "index.sqlite").write_bytes(b"not a database at all, but long enough to be read")
    assert sizes_of(tmp_path, 2) is None


def test_the_endpoints(idle_app: APIFlask) -> None:
    client, dataset_id = idle_app.test_client(), valid_dataset(idle_app)
    answer = client.get(f"/api/datasets/{dataset_id}/training-defaults", headers={"Accept-Language": "pt"}).json
    assert answer["recommended"] == "balanced"
    assert answer["facts"]["train_images"] == 6
    preset = answer["presets"][1]
    created = client.post("/api/trainings", json=preset["values"] | {"dataset_id": dataset_id})
    assert created.status_code == 201, "what is proposed is accepted"
    body = {"dataset_id": dataset_id, "epochs": 1, "start": "scratch"}
    (few,) = [
        item for item in client.post("/api/trainings/check", json=body).json["warnings"] if item["field"] == "epochs"
    ]
    assert few["change"]["value"] == 100, "1 iteration an epoch: more than the preset has"
    body = {"dataset_id": dataset_id, "batch_size": 512, "img_size": 64}
    warnings = client.post("/api/trainings/check", json=body).json["warnings"]
    assert [item["code"] for item in warnings if item["field"] == "batch_size"] == ["batch_dataset"]
    assert client.get("/api/datasets/99/training-defaults").status_code == 404
    assert client.post("/api/trainings/check", json={"dataset_id": 99}).status_code == 404
    assert client.post("/api/trainings/check", json={"dataset_id": 1, "epochs": 0}).status_code == 422
