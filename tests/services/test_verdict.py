"""The verdict on ended trainings: on good and bad models, and the cause of one that learned nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.services.trainer.learning import ENOUGH, FEW_SCRATCH, Schedule, early_signs, why_nothing
from app.services.trainer.levels import LEVELS, level_of
from app.services.trainer.verdict.judge import RunFacts, judge
from app.services.trainer.verdict.parts import Certainty
from app.services.trainer.verdict.texts import STEPS, USES, certainty, with_messages

SCRATCH = Schedule(iterations=15, scratch=True)
CLASSES = [
    {"class": 0, "ap50": 0.95, "ap95": 0.8, "precision": 0.9, "recall": 0.9, "instances": 68},
    {"class": 1, "ap50": 0.70, "ap95": 0.5, "precision": 0.8, "recall": 0.7, "instances": 90},
    {"class": 2, "ap50": 0.99, "ap95": 0.9, "precision": 0.9, "recall": 0.9, "instances": 66},
]
MATRIX = [[0, 0, 61], [0, 1, 27], [1, 1, 60], [3, 1, 3], [3, 0, 7], [2, 2, 66], [0, 3, 2]]
EVALUATION = {
    "names": ["circle", "square", "triangle"],
    "matrix": MATRIX,
    "images": 60,
    "objects": 224,
    "best": {"confidence": 0.43, "f1": 0.85},
}


def epochs(losses: list[float], map50: float | None = 0.0) -> list[dict[str, Any]]:
    return [{"epoch": n, "loss": loss, "map50": map50, "parts": {}} for n, loss in enumerate(losses, 1)]


def facts(map50: float | None, **changes: Any) -> RunFacts:
    """A completed run of 40 epochs whose best was the 20th."""
    best = None if map50 is None else {"epoch": 20, "map50": map50, "map95": map50 * 0.7, "parts": {}}
    defaults = RunFacts(
        "detect",
        "completed",
        EVALUATION["names"],
        best and best | {"classes": CLASSES},
        epochs([8.0 - n / 10 for n in range(40)], map50),
        40,
        40,
        SCRATCH,
        60,
        True,
        EVALUATION,
        {0: 300, 1: 20, 2: 300},
        actions=frozenset({"extend", "clone"}),
    )
    return replace(defaults, **changes)


def codes(verdict: dict[str, Any]) -> list[str]:
    return [step["code"] for step in verdict["next"]]


def test_a_good_model() -> None:
    verdict = judge(facts(0.9))
    assert (verdict["level"], verdict["use"], verdict["cause"]) == ("good", "detect_good", None)
    weakest = verdict["weakest"]
    assert (weakest["name"], weakest["value"], weakest["objects"], weakest["train_objects"]) == ("square", 0.7, 90, 20)
    confusion = verdict["confusion"]
    assert (confusion["kind"], confusion["actual"], confusion["predicted"]) == ("confused", "square", "circle")
    assert (confusion["count"], confusion["of"]) == (27, 90)
    assert verdict["certainty"] == {"objects": 224, "images": 60, "margin": pytest.approx(0.04, abs=0.005)}
    assert verdict["confidence"] == 0.43
    assert codes(verdict) == ["try_it", "annotate_class"]


def test_classes_without_counts_have_no_certainty() -> None:
    """Rows of an older version."""
    rows = [{"class": n, "ap50": 0.9, "ap95": 0.5, "precision": 0.9, "recall": 0.9} for n in range(3)]
    best = {"epoch": 20, "map50": 0.9, "map95": 0.6, "parts": {}, "classes": rows}
    verdict = judge(facts(0.9, best=best, evaluation=None))
    assert (verdict["weakest"], verdict["certainty"]["objects"], verdict["certainty"]["margin"]) == (None, None, None)


def test_inexact_boxes_are_reported() -> None:
    best = {"epoch": 20, "map50": 0.9, "map95": 0.3, "parts": {}, "classes": CLASSES}
    assert judge(facts(0.9, best=best))["use"] == "detect_rough"


@pytest.mark.parametrize(
    ("matrix", "kind", "count", "of"),
    [
        ([[0, 0, 5], [3, 0, 7], [1, 0, 2]], "missed", 7, 14),
        ([[0, 0, 5], [0, 3, 9], [1, 0, 2]], "false_positive", 9, 14),
        ([[0, 0, 5]], "none", None, None),
    ],
)
def test_the_commonest_error(matrix: list[list[int]], kind: str, count: int | None, of: int | None) -> None:
    confusion = judge(facts(0.9, evaluation=EVALUATION | {"matrix": matrix}))["confusion"]
    assert (confusion["kind"], confusion.get("count"), confusion.get("of")) == (kind, count, of)


def test_few_validation_objects_lower_its_certainty() -> None:
    few = [{**row, "instances": 3} for row in CLASSES]
    best = {"epoch": 20, "map50": 0.7, "map95": 0.6, "parts": {}, "classes": few}
    verdict = judge(facts(0.7, best=best, evaluation=None))
    assert verdict["certainty"]["margin"] > 0.2
    assert verdict["confusion"] is None
    assert "more_validation" in codes(verdict)


def test_few_iterations_are_distinguished_from_wrong_labels() -> None:
    """By the loss: it is still falling, or has flattened while nothing is detected."""
    short = judge(facts(0.0, epochs=epochs([15.0, 14.2]), done=2, planned=2))
    assert (short["level"], short["cause"]["code"]) == ("nothing", "few_iterations")
    assert short["cause"]["data"]["iterations"] == 30
    assert codes(short) == ["add_epochs", "pretrained"]
    assert short["weakest"] is None
    assert short["confidence"] is None, "nothing to recommend of a model that detects nothing"
    flat = judge(facts(0.0, epochs=epochs([9.0] * 40)))
    assert (flat["cause"]["code"], codes(flat)) == ("labels", ["check_labels"])
    falls = judge(facts(0.0, epochs=epochs([12.0 * 0.95**n for n in range(40)])))
    assert falls["cause"]["code"] == "still_falling"
    diverged = judge(facts(0.0, epochs=epochs([9.0] * 40), advice=frozenset({"diverging"})))
    assert (diverged["cause"]["code"], codes(diverged)) == ("learning_rate", ["lower_rate"])


def test_many_iterations_are_never_called_too_few() -> None:
    """Few epochs of a large dataset have too few losses to judge by."""
    assert why_nothing(epochs([9.0, 8.9, 8.8]), replace(SCRATCH, iterations=1000)) is None
    assert judge(facts(0.0, epochs=epochs([9.0] * 3), schedule=Schedule(1000, True), done=3))["cause"] is None


def test_labels_are_judged_at_last_even_while_the_loss_falls() -> None:
    many = -(-ENOUGH * FEW_SCRATCH // SCRATCH.iterations)
    falling = [20.0 * 0.98**n for n in range(many)]
    assert why_nothing(epochs(falling[:-1]), SCRATCH) == ("still_falling", {"iterations": 15 * (many - 1), **of()})
    assert (why_nothing(epochs(falling), SCRATCH) or ("",))[0] == "labels"
    assert why_nothing(epochs(falling, map50=0.3), SCRATCH) is None


def of() -> dict[str, Any]:
    return {"enough": FEW_SCRATCH, "scratch": True}


def test_signs_while_it_runs() -> None:
    assert early_signs(epochs([15.0]), 5, SCRATCH) == ("few_iterations", {"iterations": 75, "enough": 300, "epochs": 5})
    assert early_signs(epochs([15.0]), 5, replace(SCRATCH, scratch=False)) is None
    assert early_signs(epochs([15.0]), 100, SCRATCH) is None, "too early to tell"
    assert (early_signs(epochs([9.0] * 30), 100, SCRATCH) or ("",))[0] == "labels"


def test_a_classification_is_measured_against_chance() -> None:
    assert level_of("classify", 0.34, 3) == "nothing"
    assert level_of("classify", 0.34, 10) == "low"
    assert level_of("classify", 0.95, 2) == "good"
    assert level_of("classify", None, 2) is None
    rows = [{"class": n, "ap50": None, "recall": 0.2 + n / 5, "instances": 20} for n in range(3)]
    best = {"epoch": 2, "map50": None, "map95": None, "parts": {"metrics/accuracy_top1": 0.8}, "classes": rows}
    verdict = judge(facts(None, task="classify", best=best, evaluation=None))
    assert (verdict["level"], verdict["use"]) == ("fair", "classify_fair")
    assert (verdict["weakest"]["name"], verdict["weakest"]["metric"]) == ("circle", "recall")


def classified(count: int) -> RunFacts:
    best = {"epoch": 2, "map50": None, "map95": None, "parts": {"metrics/accuracy_top1": 0.3}, "classes": []}
    return facts(None, task="classify", best=best, evaluation=None, epochs=epochs([1.1] * count, None), done=count)


def test_the_cause_of_a_classification_speaks_of_classes(idle_app: APIFlask) -> None:
    few, flat = judge(classified(2)), judge(classified(40))
    assert (few["cause"]["code"], codes(few)[0]) == ("few_classify", "add_epochs")
    assert (flat["cause"]["code"], codes(flat)) == ("labels_classify", ["check_folders"])
    with idle_app.test_request_context(headers={"Accept-Language": "en"}):
        verdicts = [with_messages(one) for one in (few, flat)]
        messages = [one["cause"]["message"] + one["next"][0]["message"] for one in verdicts]
    assert not any(word in message for message in messages for word in ("box", "detect"))


def test_counts_have_separators(idle_app: APIFlask) -> None:
    matrix = [[0, 0, 5], [3, 0, 1234], [0, 1, 4444]]
    with idle_app.test_request_context(headers={"Accept-Language": "pt-BR"}):
        verdict = with_messages(judge(facts(0.9, evaluation=EVALUATION | {"matrix": matrix})))
    assert "4.444 de 4.444 objetos" in verdict["confusion"]["message"]


@pytest.mark.parametrize(
    ("kind", "actions", "expected"),
    [
        ("data", {"clone"}, "see_issues"),
        ("out_of_memory", {"clone"}, "smaller"),
        ("memory_limit", {"retry"}, "raise_memory_limit"),
        ("memory_start", {"retry"}, "free_memory"),
        ("disk_full", {"retry"}, "free_disk"),
        ("weights", {"clone"}, "other_weights"),
        ("files_missing", {"retry"}, "restore_files"),
        ("killed", {"resume"}, "resume"),
        ("code", {"retry"}, "read_log"),
    ],
)
def test_what_helps_a_failed_run(kind: str, actions: set[str], expected: str) -> None:
    failed = facts(None, status="failed", error_kind=kind, actions=frozenset(actions), epochs=[], done=0, weights=False)
    verdict = judge(failed)
    assert (verdict["level"], verdict["use"], codes(verdict)[0]) == (None, "no_weights", expected)


def test_a_stopped_run_goes_on_where_it_can() -> None:
    stopped = facts(0.6, status="cancelled", done=21, planned=40, actions=frozenset({"resume", "retry", "clone"}))
    assert codes(judge(stopped))[0] == "resume_rest"
    weak = replace(
        stopped,
        best={"epoch": 5, "map50": 0.03, "map95": 0.0, "parts": {}, "classes": []},
        done=10,
        epochs=epochs([9.0] * 10, 0.03),
    )
    assert codes(judge(weak)) == ["resume_rest", "pretrained"], "what is left first, then the way from the start"
    nothing = facts(None, status="cancelled", done=0, epochs=[], weights=False, evaluation=None)
    assert codes(judge(nothing)) == ["again"]


KINDS = ("data", "out_of_memory", "memory_limit", "memory_start", "disk_full", "weights", "files_missing")
VERDICTS = [
    facts(0.9),
    facts(0.6),
    facts(0.2),
    facts(None),
    facts(None, weights=False, evaluation=None, epochs=[], done=0),
    facts(0.0, epochs=epochs([9.0] * 40)),
    facts(0.0, epochs=epochs([9.0]), done=1),
    facts(0.0, schedule=Schedule(15, False), epochs=epochs([9.0]), done=1),
    facts(0.0, advice=frozenset({"diverging"})),
    facts(0.6, advice=frozenset({"overfitting"})),
    facts(0.6, status="cancelled", done=21, actions=frozenset({"resume"})),
    facts(0.6, evaluation=None),
    *(facts(0.6, status="failed", error_kind=kind) for kind in KINDS),
    facts(0.6, status="failed", error_kind="code"),
    classified(2),
    classified(40),
]


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_every_part_is_a_sentence_in_both_languages(idle_app: APIFlask, language: str) -> None:
    texts: set[str] = set()
    with idle_app.test_request_context(headers={"Accept-Language": language}):
        for one in VERDICTS:
            verdict = with_messages(judge(one))
            parts = [verdict[name] for name in ("use", "metric", "weakest", "confusion", "certainty", "cause")]
            sentences = [part["message"] for part in [*filter(None, parts), *verdict["next"]]]
            assert all(text.endswith((".", "?")) and "%(" not in text for text in sentences), sentences
            assert verdict["title"]
            texts.update(sentences)
    assert ("Teste o modelo" in " ".join(texts)) == (language == "pt-BR")


def test_every_sentence_is_used() -> None:
    """A step that no rule returns would be dead text."""
    steps = {step["code"] for one in VERDICTS for step in judge(one)["next"]}
    assert steps <= STEPS.keys() | {"add_epochs", "resume_rest", "train_longer", "more_validation"}
    assert {judge(one)["use"] for one in VERDICTS} <= USES.keys()
    assert set(LEVELS) == {"detect", "segment", "pose", "obb", "classify"}


def test_wrong_labels_are_not_trained_longer() -> None:
    """A real run on shuffled labels: mAP50 0.011 in one of the last epochs, as if it were still improving."""
    run = json.loads((Path(__file__).parents[1] / "recorded" / "labels_shuffled.json").read_text())
    best = max(run["epochs"], key=lambda item: item["fitness"])
    weak = EVALUATION | {"best": {"confidence": 0.0, "precision": 0.0094, "recall": 0.6213, "f1": 0.0185}}
    verdict = judge(
        facts(None, best=best, epochs=run["epochs"], planned=60, done=60, evaluation=weak, schedule=Schedule(8, True))
    )
    assert (verdict["level"], verdict["cause"]["code"], codes(verdict)) == ("low", "labels", ["check_labels"])
    assert verdict["confidence"] is None, "no threshold makes it useful"


def test_a_half_is_rounded_as_the_cards_round_it(idle_app: APIFlask) -> None:
    """Earlier, 0.6605 of a real run was 0.660 in the verdict and 0.661 on its card."""
    with idle_app.test_request_context(headers={"Accept-Language": "en"}):
        assert "mAP50 0.661 in the best epoch" in with_messages(judge(facts(0.6605)))["metric"]["message"]
        assert "mAP50 0.123 in the best epoch" in with_messages(judge(facts(0.1234)))["metric"]["message"]


def test_uploaded_weights_are_evaluated_not_trained_again() -> None:
    verdict = judge(facts(None, uploaded=True, evaluation=None))
    assert (verdict["level"], verdict["use"], codes(verdict)) == (None, "uploaded", ["evaluate", "try_it"])


def test_no_metric_has_an_uncertainty_of_zero(app: APIFlask) -> None:
    """The formula of a proportion has no error at 0, which no number of objects proves."""
    part: Certainty = {"objects": 1137, "images": 72, "margin": 0.0}
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert certainty(part, "map50") == "Based on 1,137 objects in the validation images."
        assert "may vary by ±0.01." in certainty({**part, "margin": 0.012}, "map50")
        assert certainty(part, "top1") == "Based on 1,137 images."
