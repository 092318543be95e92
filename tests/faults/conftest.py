"""Repetitions of each row of the fault table, and the table at the end.

`make test` runs the rows marked `quick` once; `--times 1` runs every row as often as its mark says, `--times 0.2` a
fifth of that, and `--only WORD` those whose test names contain the word.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from scripts.local_server import MODES, Server
from tests.faults.tools import TINY, add_dataset, begin, check_run, epochs, wait_for

ROWS = pytest.StashKey[dict[str, "Row"]]()


@dataclass
class Row:
    """The results of a row's repetitions."""

    times: int = 0
    survived: int = 0
    skipped: str = ""
    longest: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass
class Record:
    """One repetition: its number, the server mode it uses, and what it measured."""

    number: int
    mode: str
    began: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    note: str = ""

    def recovered(self, since: float) -> float:
        """Record the recovery from a fault that occurred at `since` (time.monotonic()); the longest is in the table."""
        self.seconds = time.monotonic() - since
        return self.seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--times", type=float, default=None, help="every fault, so many times its usual repetitions")
    group.addoption("--only", default="", help="only faults whose test names contain this")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults(row, times, quick=False): a row of the fault table")
    config.stash[ROWS] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("faults")
    if mark is None:
        return
    scale = metafunc.config.getoption("--times", None)
    count = 1 if scale is None else max(1, math.ceil(mark.args[1] * scale))
    metafunc.parametrize("repetition", range(count), ids=[f"time{number + 1}" for number in range(count)])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    everything = config.getoption("--times", None) is not None
    only = config.getoption("--only", "")
    chosen = [item for item in items if is_selected(item, everything, only)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def is_selected(item: pytest.Item, everything: bool, only: str) -> bool:
    mark = item.get_closest_marker("faults")
    if mark is None:
        return True
    return (everything or mark.kwargs.get("quick", False)) and only in item.name


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images this small do not benefit from more threads, which only wait for each other on a busy machine."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def record(request: pytest.FixtureRequest, repetition: int) -> Iterator[Record]:
    """The parameters and the measurements of this repetition; server modes alternate."""
    entry = Record(repetition, MODES[repetition % 2])
    request.node.record = entry
    yield entry
    if entry.seconds is None:
        entry.seconds = time.monotonic() - entry.began


@pytest.fixture(scope="session")
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]] | None:
    """The epochs of an undisturbed run; None in the short selection, which has no time for it."""
    if request.config.getoption("--times", None) is None:
        return None
    with Server(tmp_path_factory.mktemp("undisturbed"), "threading", OMP_NUM_THREADS="1") as server:
        training_id = begin(server, add_dataset(server))
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"])
        return epochs(server, training_id)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    mark = item.get_closest_marker("faults")
    if mark is not None and (report.when == "call" or not report.passed):
        row = item.config.stash[ROWS].setdefault(row_name(item, mark), Row())
        count(row, report, getattr(item, "record", None))
    return report


def row_name(item: pytest.Item, mark: pytest.Mark) -> str:
    """The row's name, with its case's parameters: `{down}` in the text stands for the parameter `down`."""
    parameters = getattr(item, "callspec", None)
    return str(mark.args[0]).format(**(parameters.params if parameters else {}))


def count(row: Row, report: pytest.TestReport, record: Record | None) -> None:
    if report.skipped:
        row.skipped = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return
    row.times += 1
    row.survived += report.passed
    if record is not None:
        row.longest = max(row.longest, record.seconds or time.monotonic() - record.began)
        if record.note:
            row.notes.append(record.note)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, {})
    if not rows or config.getoption("--times", None) is None:
        return
    terminalreporter.section("faults")
    lines = [("fault", "times", "survived", "longest s", "note")]
    for name, row in rows.items():
        reason = row.skipped.removeprefix("Skipped: ")
        figures = ("–", "–", "–") if row.skipped else (str(row.times), str(row.survived), f"{row.longest:.1f}")
        lines.append((name, *figures, reason or (row.notes[-1] if row.notes else "")))
    for line in lines:
        terminalreporter.write_line("| " + " | ".join(line) + " |")
