"""Every kind of file that the product writes is damaged by a test, or exempt with a reason; see tests/file_kinds.py."""

import pytest

from scripts.local_server import ROOT
from tests.file_kinds import ALIKE, DAMAGED, GENERIC, REGISTERED, matches_any, names_in_source


def test_each_name_in_the_source_is_registered() -> None:
    """A new one must be added to DAMAGED and to tests/routes/test_damaged_files.py, or to EXTERNAL."""
    names = {
        name: str(path.relative_to(ROOT))
        for path in sorted((ROOT / "app").rglob("*.py"))
        for name in names_in_source(path.read_text())
    }
    assert {"results.csv", "epoch-*.pt", "info.json", "events.jsonl"} <= names.keys()
    assert {
        name: path for name, path in names.items() if name not in GENERIC and not matches_any(name, REGISTERED)
    } == {}


def test_what_is_alike_is_damaged() -> None:
    assert set(ALIKE.values()) <= DAMAGED


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('put(folder / "summary.json", text)', ["summary.json"]),
        ('open(f"{folder}/page-{number:03}.sqlite")', ["page-*.sqlite"]),
        ('NAME = "tmp/new_kind.pickle"', ["new_kind.pickle"]),
        ('if path.suffix in {".json", ".csv"}: "of report.json, and more"', []),
    ],
)
def test_an_unregistered_kind_is_detected(line: str, names: list[str]) -> None:
    assert list(names_in_source(line)) == names
    assert not any(matches_any(name, REGISTERED) for name in names)
