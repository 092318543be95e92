"""The pages' scripts: their unit tests in tests/js, by Node's test runner, and their lists against the server's."""

import json
import subprocess
from shutil import which
from typing import Any

import pytest
from apiflask import APIFlask

from app.core import previews
from app.core.formats import KEYS as FORMATS
from app.core.metrics import METRICS
from app.core.splits import SPLITS
from app.core.tasks import TASKS
from app.models.status import DatasetStatus, TrainingStatus
from app.schemas.datasets import EXPORTS
from app.services.trainer.architectures import FITTING
from scripts import icons
from scripts.local_server import ROOT

NODE = which("node")
TESTS = sorted((ROOT / "tests" / "js").glob("*.test.js"))


def node_version() -> int:
    if NODE is None:
        return 0
    out = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(out.strip().lstrip("v").partition(".")[0])


@pytest.mark.skipif(node_version() < 18, reason="Node.js 18 or newer is not installed")
def test_the_scripts_unit_tests() -> None:
    assert TESTS
    command = [NODE or "node", "--test", *(str(path) for path in TESTS)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert completed.returncode == 0, completed.stdout + completed.stderr


@pytest.fixture(scope="module")
def lists() -> dict[str, Any]:
    if node_version() < 18:
        pytest.skip("Node.js 18 or newer is not installed")
    command = [NODE or "node", "tests/js/print_lists.js"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(completed.stdout))


def test_the_scripts_lists_are_the_servers(lists: dict[str, Any]) -> None:
    assert lists["tasks"] == list(TASKS)
    assert lists["splits"] == list(SPLITS)
    assert lists["formats"] == list(FORMATS)
    assert lists["exports"] == list(EXPORTS)


def test_the_scripts_use_the_servers_limit_of_preview_detections(lists: dict[str, Any]) -> None:
    assert lists["previewLimits"] == {"boxes": previews.MAX_SHAPES, "masks": previews.MAX_MASKS}


def test_the_scripts_name_every_status(lists: dict[str, Any]) -> None:
    assert {*TrainingStatus, *DatasetStatus} <= set(lists["states"])


def test_the_scripts_name_every_kind_of_job(lists: dict[str, Any], idle_app: APIFlask) -> None:
    assert set(lists["jobs"]) == set(idle_app.extensions["services"].jobs.kinds.names())


def test_the_scripts_compare_by_curves_that_the_server_sends(lists: dict[str, Any]) -> None:
    """With their titles, and the range in which each is drawn."""
    metrics = {metric.key: (metric.label, metric.low, metric.high) for metric in METRICS}
    assert lists["compared"]
    for curve in lists["compared"]:
        title, low, high = metrics[curve["key"]]
        assert curve["title"] == title
        assert curve.get("min") in (None, low)
        assert curve.get("max") == high


def test_the_scripts_cards_are_metrics_of_the_server(lists: dict[str, Any]) -> None:
    metrics = {metric.key: metric for metric in METRICS}
    cards = [card for card in lists["cards"] if card["key"] in metrics]
    assert {card["key"] for card in cards} == {"map50", "map95", "precision", "recall", "loss", "val_loss"}
    for card in cards:
        assert card["label"] == metrics[card["key"]].label
        assert card["up"] == (metrics[card["key"]].goal == "max")


def test_the_scripts_offer_what_a_dataset_can_teach(lists: dict[str, Any]) -> None:
    offered = {(task, data) for data, tasks in lists["learnable"].items() for task in tasks}
    assert offered == {(task, data) for task, datasets in FITTING.items() for data in datasets}


def test_the_icons_are_those_that_the_pages_name() -> None:
    """In the style sheet and in the font; the library's originals are not loaded."""
    from fontTools.ttLib import TTFont

    assert icons.is_current(), "run python -m scripts.icons"
    named = icons.used()
    assert {"cpu", "bell-fill", "moon-stars", "arrow-repeat"} <= named.keys()
    drawn = TTFont(icons.FONT).getBestCmap()
    assert [name for name, code in named.items() if int(code, 16) not in drawn] == []
    assert "bootstrap-icons.min.css" not in (ROOT / "app" / "templates" / "base.html").read_text(encoding="utf-8")


def test_lines_are_at_most_120_columns() -> None:
    """Except those with a text, which must be in one piece in the catalogue."""
    paths = sorted((ROOT / "app" / "static" / "js").rglob("*.js"))
    assert len(paths) > 50
    lines = [
        (path.name, number, line) for path in paths for number, line in enumerate(path.read_text().splitlines(), 1)
    ]
    assert [entry for entry in lines if len(entry[2]) > 120 and not set('"`') & set(entry[2])] == []
