"""The kinds of jobs: the core names none of them, and each list of them is complete."""

import ast
import re

from apiflask import APIFlask

from app.schemas import JobOut
from scripts.local_server import ROOT


def kinds(app: APIFlask) -> set[str]:
    return set(app.extensions["services"].jobs.kinds.names())


def test_the_core_names_no_kind_of_work(idle_app: APIFlask) -> None:
    """A new kind needs no change there."""
    named = {
        f"{path.name}: {node.value}"
        for path in ROOT.glob("app/jobs/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in kinds(idle_app)
    }
    assert named == set()


def test_the_descriptions_name_every_kind(idle_app: APIFlask) -> None:
    description = JobOut().fields["kind"].metadata["description"]
    assert set(description.split(", ")) == kinds(idle_app)
    page = (ROOT / "wiki" / "API-de-Jobs.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == {"kind"} | kinds(idle_app)
