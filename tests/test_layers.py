"""Allowed imports by layer (see "Where does my line go?" in the wiki), and that the web process stays light."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_server import MODES, ROOT, settings_for

# A module may import its own layer and those before it.
LAYERS = (
    {"core"},
    {
        "config",
        "setting_checks",
        "events",
        "errors",
        "problems",
        "extensions",
        "static_files",
        "threads",
        "i18n",
        "texts",
    }
    | {"database_file", "private_files", "secret_key", "setting_checks", "object_store"}
    | {"inputs", "deadlines", "heads", "limits", "shared_reads", "shutdown"},
    {"models", "schemas", "notify", "database", "access", "logs", "web", "bodies", "forms", "migrations"}
    | {"hosts", "proxies", "rates", "sockets", "websockets", "downloads", "guard", "cluster"},
    {"jobs"},
    {"services"},
    {"routes", "cli"},
    {"app", "link", "leading"},  # the factory
    {"run", "scripts"},
)
HEAVY = {
    "torch",
    "torchvision",
    "ultralytics",
    "cv2",
    "pandas",
    "numpy",
    "matplotlib",
    "seaborn",
    "openvino",
    "nncf",
    "av",
}
# What the web process loads when somebody needs it: each start without them is shorter, and the server smaller.
AT_FIRST_USE = {
    "alembic",
    "argon2",
    "authlib",
    "boto3",
    "botocore",
    "flask_cors",
    "flask_migrate",
    "joserfc",
    "limits",
    "markdown_it",
    "PIL",
    "prometheus_client",
    "psycopg",
    "pynvml",
    "rq",
    "tarfile",
    "yaml",
}
OF_OTHER_MODE = {"threading": {"eventlet", "greenlet"}, "eventlet": {"simple_websocket", "wsproto", "h11"}}
ML_STACK = HEAVY | {"networkx", "scipy", "PIL", "yaml", "defusedxml", "pi_heif", "psutil", "pynvml", "requests"}


def layer_name(module: str) -> str:
    """The name in LAYERS of a dotted module: "services" for app.services.storage.names."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "app" and rest else first


def rank(module: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if layer_name(module) in names)


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
    messages = []
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
            messages.append(f"{module} imports {name}")
    return messages


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
        ("app.services.storage.names", "from app.routes import system"),
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
def test_the_check_detects_violations(module: str, source: str) -> None:
    assert violations(module, source)


def test_services_do_not_reach_for_the_request() -> None:
    for path in ROOT.glob("app/services/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "flask.request"), path


def classes_of_services() -> dict[str, list[str]]:
    """The bases of each class of a service, by its name."""
    # data types, not services
    paths = (path for path in ROOT.glob("app/services/**/*.py") if path.name != "read_models.py")
    trees = (ast.parse(path.read_text()) for path in paths)
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases] for node in classes}


def test_no_service_inherits_from_another() -> None:
    """Each gets the objects that it needs from the factory."""
    bases = classes_of_services()
    assert {"TrainingService", "DatasetService", "InferenceService"} <= bases.keys()

    def is_shape(name: str) -> bool:
        return name == "TypedDict" or any(is_shape(base) for base in bases.get(name, ()))

    inherits = {
        name: parents
        for name, parents in bases.items()
        if any(base in bases for base in parents) and not is_shape(name)
    }
    assert inherits == {}


LOOKUPS = {
    # Listeners of SQLAlchemy are the process's: only the context says which application a session belongs to.
    "app/services/installation/ids.py": {"current_app"},
    # The task runs as a request of the client's, which the application makes.
    "app/services/uploads/completion.py": {"current_app"},
}


def lookups(tree: ast.AST) -> set[str]:
    """How code asks for the application or its services, which the factory could have handed it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"app.services", "flask"}:
            names |= {alias.name for alias in node.names} & {"services", "current_app"}
        elif isinstance(node, ast.Subscript) and ast.unparse(node).endswith(".extensions['services']"):
            names.add("extensions")
    return names


def test_services_are_handed_their_collaborators() -> None:
    """A signature says what an object needs; one that looks it up needs a running application to be tried."""
    assert lookups(ast.parse("from app.services import idempotency, services")) == {"services"}
    assert lookups(ast.parse("def f():\n    app.extensions['services'].backups.start(1)")) == {"extensions"}
    paths = {str(path.relative_to(ROOT)): path for path in ROOT.glob("app/services/**/*.py")}
    del paths["app/services/__init__.py"]
    assert {name: used for name, path in paths.items() if (used := lookups(ast.parse(path.read_text())))} == LOOKUPS


def locks(tree: ast.AST) -> list[str]:
    """Calls that lock rows of trainings."""
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if "with_for_update" in call and re.search(r"\bTraining\b", call)]


def test_who_numbers_messages_of_a_training_has_its_row_from_the_store() -> None:
    """A row that somebody else has locked may be behind messages that were sent: their numbers would come again."""
    assert locks(ast.parse("with writing() as session:\n    row = session.get(Training, 1, with_for_update=True)"))
    assert locks(ast.parse("session.scalars(select(Training).where(waits).with_for_update())"))
    trees = {str(path): ast.parse(path.read_text()) for path in ROOT.glob("app/services/**/*.py")}
    numbering = {
        name: tree
        for name, tree in trees.items()
        if any(
            isinstance(node, ast.ImportFrom)
            and node.module == "app.services.trainer.messages"
            and any(alias.name.endswith("message") for alias in node.names)
            for node in ast.walk(tree)
        )
    }
    names = ("actions", "disk_pauses", "event_recorder", "queue")
    assert {str(ROOT / f"app/services/trainer/{name}.py") for name in names} <= numbering.keys()
    assert {name: calls for name, tree in numbering.items() if (calls := locks(tree))} == {}


HOOKS = ("sys.modules", "sys.meta_path", "sys.path_hooks", "sys.path_importer_cache", "builtins.__import__")
CHANGES = ("update", "pop", "setdefault", "clear", "insert", "append", "extend", "__setitem__", "__delitem__")


def import_hooks_changed(tree: ast.AST) -> list[str]:
    """Where code changes what other packages can import."""
    changed: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.Delete):
            changed += node.targets
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            changed.append(node.func.value)
    targets = [ast.unparse(item.value if isinstance(item, ast.Subscript) else item) for item in changed]
    return [name for name in targets if name in HOOKS]


def test_no_module_changes_import_hooks() -> None:
    """Earlier, the viewers of the load run found no websocket transport, because the application had hidden it."""
    assert import_hooks_changed(ast.parse("import sys\nsys.modules['requests'] = None\ndel sys.modules['x']")) != []
    assert import_hooks_changed(ast.parse("sys.modules.update(dict.fromkeys(names))")) != []
    paths = [*ROOT.glob("app/**/*.py"), *ROOT.glob("scripts/**/*.py")]
    assert {str(path): hooks for path in paths if (hooks := import_hooks_changed(ast.parse(path.read_text())))} == {}


WAITING = {
    "sleep",
    "wait",
    "emit",
    "run_blocking",
    "run_program",
    "run_quietly",
    "sync_folder",
    "remove_tree",
    "acquire",
}


def waiting_calls(tree: ast.AST) -> list[str]:
    """Calls that wait or emit while the database's write lock is held."""
    waits = []
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(
            ast.unparse(item.context_expr).startswith("writing(") for item in node.items
        ):
            calls = [call for line in node.body for call in ast.walk(line) if isinstance(call, ast.Call)]
            names = [ast.unparse(call.func) for call in calls]
            waits += [name for name in names if name.rpartition(".")[2] in WAITING]
    return waits


def test_nothing_waits_in_a_write_transaction() -> None:
    """Every other writer would wait with it."""
    assert waiting_calls(ast.parse("with writing() as session:\n    if made:\n        sync_folder(target)")) == [
        "sync_folder"
    ]
    paths = ROOT.glob("app/**/*.py")
    assert {str(path): calls for path in paths if (calls := waiting_calls(ast.parse(path.read_text())))} == {}


def test_the_status_of_a_training_has_one_writer() -> None:
    """And that of its job. Services change it through transitions.py, which documents what each change resets; others
    create new rows."""
    writers = set()
    for path in ROOT.glob("app/services/trainer/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = [ast.unparse(item) for target in targets if target for item in ast.walk(target)]
            if {"row.status", "job.status"} & set(names):
                writers.add(path.name)
    assert writers == {"transitions.py"}


START = """
import json, sys
from run import app
assert app.test_client().get("/health").status_code == 200
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.usefixtures("empty_database")  # migrating one has libraries of its own
@pytest.mark.parametrize("mode", MODES)
def test_a_start_loads_what_the_first_answers_need(tmp_path: Path, mode: str) -> None:
    environment = os.environ | settings_for(tmp_path, SOCKETIO_ASYNC_MODE=mode)
    completed = subprocess.run(
        [sys.executable, "-c", START], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(completed.stdout.splitlines()[-1]))
    assert (HEAVY | AT_FIRST_USE | OF_OTHER_MODE[mode]) & loaded == set()


VISIT = """
import gc, json, sys
from run import app
first = {"collects": gc.isenabled(), "frozen": gc.get_freeze_count()}
client = app.test_client()
pages = [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
answers = {page: client.get(page, headers={"Accept": "text/html, */*"}).status_code for page in pages}
print(json.dumps({"answers": answers, "modules": sorted(sys.modules), "first": first}))
"""


def test_no_page_loads_the_ml_stack(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    environment = os.environ | settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading")
    completed = subprocess.run(
        [sys.executable, "-c", VISIT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    report = json.loads(completed.stdout.splitlines()[-1])
    assert report["answers"]["/health"] == 200
    assert {page: status for page, status in report["answers"].items() if status >= 500} == {}
    assert HEAVY & set(report["modules"]) == set()
    assert report["first"]["collects"]
    assert report["first"]["frozen"] > 50_000, "objects of the start are not scanned again"
