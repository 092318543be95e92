"""The coach's rules on recorded trainings (scripts/record_runs.py): each gives its expected advice, and
nothing else.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.database import writing
from app.events import Epoch
from app.models import Dataset
from app.services.trainer import coach
from app.services.trainer.coach_texts import ADVICE, advice
from app.services.trainer.learning import Schedule, early_signs, why_nothing
from tests.services.runs import create_training, numbered, recorder, service

RECORDED = Path(__file__).parents[1] / "recorded"
EXPECTED = {
    "healthy": set(),
    "overfitting": {"overfitting"},
    "plateau": {"plateau"},
    "diverging": {"diverging"},
    "diverging_sgd": {"diverging"},
    "class_never_predicted": {"class_never_predicted"},
    "learning_rate_high": {"learning_rate_high"},
    "learning_rate_high_sgd": {"learning_rate_high"},
    "loader_bound": {"loader_bound"},
    "small_images": set(),
    "labels_shuffled": set(),
}


def recorded(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}.json").read_text())


def followed(run: dict[str, Any]) -> list[coach.Advice]:
    """The advice given when the run is examined epoch by epoch."""
    advice: list[coach.Advice] = []
    for count in range(1, len(run["epochs"]) + 1):
        previous = {item.code: item.epoch for item in advice}
        advice += coach.advise(run["epochs"][:count], run["epochs_planned"], previous)
    return advice


def test_every_recording_is_expected() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == EXPECTED.keys()
    assert set().union(*EXPECTED.values()) == coach.RULES.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_run(name: str) -> None:
    collected = followed(recorded(name))
    assert {item.code for item in collected} == set(EXPECTED[name])
    epochs = {item.epoch: item.code for item in collected}
    assert len(collected) == len(epochs)
    assert all(late - early >= coach.AGAIN for early, late in zip(sorted(epochs), sorted(epochs)[1:], strict=False))


def test_the_missed_class_is_named() -> None:
    (item,) = followed(recorded("class_never_predicted"))
    assert item.data["classes"] == [2]
    assert item.epoch == 10


def test_advice_repeats_only_after_its_cause_has_cleared() -> None:
    run = recorded("healthy")
    waits = [
        item | {"epoch": number, "timing": {"load": 9.0}, "seconds": 10.0}
        for number, item in enumerate(run["epochs"] * 4, 1)
    ]
    rule, first = {"loader_bound": 4}, coach.advise(waits[:4], 80, {})
    assert [item.code for item in first] == ["loader_bound"]
    codes = [item.code for item in coach.advise(waits[:60], 80, rule)]
    assert "loader_bound" not in codes, "it held all the time"
    cleared = waits[:10] + [item | {"timing": {"load": 0.1}} for item in waits[10:30]] + waits[30:60]
    assert "loader_bound" in [item.code for item in coach.advise(cleared, 80, rule)]
    assert "loader_bound" not in [item.code for item in coach.advise(cleared[:50], 80, rule)], "too soon"


def test_advice_is_stored_once_and_read_back(idle_app: APIFlask) -> None:
    run = recorded("class_never_predicted")
    training_id = create_training(idle_app, epochs=20, total_epochs=20)
    with idle_app.app_context(), writing() as session:
        session.query(Dataset).one().classes = run["names"]
    epochs = [
        Epoch(**{"epochs": 20, "eta": 1.0} | item)  # type: ignore[arg-type]
        for item in run["epochs"]
    ]
    with idle_app.app_context():
        for number, event in enumerate(epochs, 1):
            recorder(idle_app).apply(training_id, 1, numbered([event], number))
        (advice,) = service(idle_app).following.advice(training_id)
        assert (advice["code"], advice["epoch"], advice["level"]) == ("class_never_predicted", 10, "warning")
        assert advice["data"]["names"] == ["triangle"]
        assert "triangle" in advice["message"]
        assert advice["hint"]
        assert service(idle_app).following.snapshot(training_id)["advice"] == [advice]
    answer = idle_app.test_client().get(f"/api/trainings/{training_id}/advice").get_json()
    assert [item["code"] for item in answer["advice"]] == ["class_never_predicted"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name]])
def test_texts_have_all_their_placeholders(idle_app: APIFlask, name: str) -> None:
    with idle_app.test_request_context(headers={"Accept-Language": "en"}):
        for item in followed(recorded(name)):
            texts = advice(item.code, item.data | {"names": ["triangle"]})
            assert "%(" not in texts["message"] + texts["hint"]
            assert texts["message"] != item.code
    assert {code.partition("_nan")[0] for code in ADVICE} == coach.RULES.keys() | {"few_iterations", "labels"}


def test_shuffled_labels_and_few_iterations_are_distinguished() -> None:
    """Both detect nothing; each recording is a real run from scratch with eight iterations per epoch."""
    schedule = Schedule(iterations=8, scratch=True)
    shuffled, right = recorded("labels_shuffled")["epochs"], recorded("small_images")["epochs"]
    assert [sign[0] for sign in (why_nothing(shuffled, schedule), why_nothing(right[:9], schedule)) if sign] == [
        "labels",
        "few_iterations",
    ]
    assert why_nothing(right, schedule) is None, "it detects"
    signs = [early_signs(shuffled[:count], 60, schedule) for count in range(1, 61)]
    assert [sign[0] for sign in signs if sign][-1] == "labels", "while it runs, too"
