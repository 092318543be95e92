"""Docstrings that tools read: `Raises:` has one line per exception (Google style)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_server import ROOT

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
ENTRY = re.compile(r"[A-Za-z_][\w.]*(:.*)?")
SECOND_ENTRY = re.compile(r"\. [A-Z]\w+(\.\w+)*(, [A-Z]\w+)*: ")


def section(docstring: str) -> list[str]:
    """The entries of `Raises:`, without their continuation lines."""
    lines = docstring.splitlines()
    for number, line in enumerate(lines):
        if line.strip().startswith("Raises:"):
            indent = len(line) - len(line.lstrip())
            rest = [line.strip().removeprefix("Raises:").strip()]
            entries = list[str]()
            for following in lines[number + 1 :]:
                deeper = len(following) - len(following.lstrip()) - indent
                if not following.strip() or deeper <= 0:
                    break
                if deeper == 4:
                    entries.append(following.strip())
            return [entry for entry in rest if entry] + entries
    return []


def several(docstring: str) -> list[str]:
    """The entries that name several exceptions, or none."""
    return [entry for entry in section(docstring) if not ENTRY.fullmatch(entry) or SECOND_ENTRY.search(entry)]


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, DOCUMENTED) and (docstring := ast.get_docstring(node)):
            yield docstring


@pytest.mark.parametrize(
    ("entry", "passes"),
    [
        ("NotFound: there is none.", True),
        ("sqlite3.Error: another process has it open.", True),
        ("NotFound", True),
        ("NotFound, Conflict: as `create`.", False),
        ("NotFound: there is none. Conflict: it is not ready.", False),
    ],
)
def test_the_check_sees(entry: str, passes: bool) -> None:
    assert (several(f"Do it.\n\nRaises:\n    {entry}\n") == []) is passes


def test_one_line_an_exception() -> None:
    paths = [*ROOT.glob("app/**/*.py"), *ROOT.glob("scripts/**/*.py")]
    wrong = {
        str(path.relative_to(ROOT)): entries
        for path in paths
        if (entries := [entry for docstring in docstrings(path) for entry in several(docstring)])
    }
    assert wrong == {}
