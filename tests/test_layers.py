"""Who may import whom (see "Where does my line go?" in the wiki), and that the web process stays light."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_server import ROOT, settings_for

# A module may import its own layer and those before it.
LAYERS = (
    {"core"},
    {"config", "events", "errors", "problems", "extensions", "static_files", "threads", "i18n", "texts"}
    | {"database_file", "private_files"}
    | {"inputs", "deadlines", "limits"},
    {"models", "schemas", "notify", "database", "auth", "logs", "web", "bodies", "forms", "migrations"}
    | {"hosts", "sockets", "downloads", "guard"},
    {"jobs"},
    {"services"},
    {"routes", "cli"},
    {"app"},  # the factory
    {"run", "scripts"},
)
HEAVY = {"torch", "torchvision", "ultralytics", "cv2", "pandas", "numpy", "matplotlib", "seaborn"}
ML_STACK = HEAVY | {"PIL", "yaml", "defusedxml", "pi_heif", "psutil", "pynvml", "requests"}


def layer_name(module: str) -> str:
    """The name in LAYERS of a dotted module: "services" for app.services.storage.paths."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "app" and rest else first


def rank(module: str) -> int:
    return next(place for place, names in enumerate(LAYERS) if layer_name(module) in names)


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def imports(source: str, module: str) -> Iterator[str]:
    """Each dotted name that the source imports: a module, or `module.name`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.split(".")[: -node.level], *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violations(module: str, source: str) -> list[str]:
    """What the module imports against the rules."""
    found = []
    for name in imports(source, module):
        top = name.partition(".")[0]
        if module.startswith("app.worker"):
            allowed = (
                name.startswith(("app.core", "app.events", "app.worker")) or top in ML_STACK | sys.stdlib_module_names
            )
        elif name.startswith("app.worker"):
            allowed = False
        elif module.startswith(("app.core", "app.events")):
            allowed = name.startswith(("app.core", "app.events")) or top in sys.stdlib_module_names
        elif top == "app":
            allowed = name == "app.__version__" or rank(target(name)) <= rank(module)
        elif module.startswith("app"):
            allowed = top not in HEAVY and not (layer_name(module) == "services" and name == "flask.request")
        else:
            allowed = True
        if not allowed:
            found.append(f"{module} imports {name}")
    return found


def target(name: str) -> str:
    """The module that `from app... import name` reads from."""
    return name if is_module(name) else name.rpartition(".")[0]


def modules() -> Iterator[tuple[str, Path]]:
    for path in [ROOT / "run.py", *ROOT.glob("app/**/*.py"), *ROOT.glob("scripts/*.py")]:
        relative = path.relative_to(ROOT)
        if "versions" not in relative.parts:
            yield ".".join(relative.with_suffix("").parts).removesuffix(".__init__"), path


def test_every_import_follows_the_layers() -> None:
    checked = dict(modules())
    assert {"app", "app.events", "app.worker.channel", "app.routes.system", "run"} <= set(checked)
    assert [line for module, path in checked.items() for line in violations(module, path.read_text())] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app.services.storage.paths", "from app.routes import system"),
        ("app.models", "from app.services import services"),
        ("app.config", "import app.models"),
        ("app.routes.system", "from app import create_app"),
        ("app.jobs.process", "from app.worker.channel import Channel"),
        ("app.jobs.queue", "from app.services import services"),
        ("scripts.demo", "import app.worker.run"),
        ("app.services.infer", "from flask import request"),
        ("app.services.infer", "def f():\n    import torch"),
        ("app.routes.ui", "import numpy as np"),
        ("app.worker.train", "from app.models import Training"),
        ("app.worker.train", "import flask"),
        ("app.worker.train", "from .. import config"),
        ("app.events", "import attrs"),
    ],
)
def test_the_check_sees(module: str, source: str) -> None:
    assert violations(module, source)


def test_services_do_not_reach_for_the_request() -> None:
    for path in ROOT.glob("app/services/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "flask.request"), path


VISIT = """
import json, sys
from app import create_app
app = create_app("web")
client = app.test_client()
pages = [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
answers = {page: client.get(page, headers={"Accept": "text/html, */*"}).status_code for page in pages}
print(json.dumps({"answers": answers, "modules": sorted(sys.modules)}))
"""


def test_no_page_loads_the_ml_stack(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    environment = os.environ | settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading")
    done = subprocess.run(
        [sys.executable, "-c", VISIT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["answers"]["/health"] == 200
    assert {page: status for page, status in seen["answers"].items() if status >= 500} == {}
    assert HEAVY & set(seen["modules"]) == set()
