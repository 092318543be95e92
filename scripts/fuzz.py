"""`make fuzz`: feeds the server and the readers of untrusted bytes with random input, for a given time.

    make fuzz ARGS="--minutes 20 --cases 100000 --each 10"

schemathesis sends requests from the API's description, authenticated, with all its checks; hypothesis tries ZIP names,
YAML, label lines, annotations, ids and socket payloads (tests/fuzz); atheris, if installed (`.venv/bin/pip install
atheris`; it has no wheel for every Python), explores the branches of the ZIP checker, the label parser and the
annotation readers. Failing inputs are stored in the folder that it prints.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from app import create_app
from app.database import upgrade_if_old
from scripts.local_server import ROOT, Server, settings_for

HOOKS = "tests.attacks.schemathesis_hooks"
CHECKED = (
    "--checks",
    "all",
    "--request-timeout",
    "120",
    "--max-response-time",
    "120",
    "--warnings",
    "off",
    "--no-color",
)
SLOW = ("--exclude-path", "/api/datasets/sample")  # draws for seconds, and has no input
GUIDED = (
    *("zip", "labels", "coco", "voc", "cvat", "labelme", "createml", "csv", "csv-classes", "label-studio"),
    *("supervisely", "supervisely-meta", "darwin", "via", "datumaro", "labelbox", "ultralytics", "masks"),
    *("yaml", "txt", "names", "pbtxt", "darknet"),
)


def run(command: list[str], folder: Path = ROOT, **environ: str) -> bool:
    """Whether the program found no failure.

    Args:
        folder: its working folder, where it leaves its files.
    """
    print("+", *(part if "Bearer" not in part else "…" for part in command), flush=True)
    return subprocess.run(command, cwd=folder, env=os.environ | environ, check=False).returncode == 0


def requests(folder: Path, minutes: float) -> bool:
    """The whole description, as the owner, on a server with authentication."""
    folder.mkdir(exist_ok=True)
    prepare(folder)
    unlimited = {"RATELIMIT_ENABLED": "False", "RATELIMIT_LOGIN": "", "RATELIMIT_PASSWORDS": ""}
    with Server(folder, "threading", AUTH="required", DISK_RESERVE="1000000GB", **unlimited) as server:
        server.authorize()
        description = folder / "openapi.json"
        # requested here, since schemathesis has a timeout of its own for it
        description.write_text(server.get("/api/openapi.json").text)
        passed = run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "schemathesis.toml"), "run"),
                *(str(description), "--url", server.url, "-H", f"Authorization: {server.headers['Authorization']}"),
                *(*CHECKED, *SLOW),
                *("--phases", "examples,fuzzing", "--max-time", str(max(1, int(minutes * 60)))),
            ],
            folder,
            PYTHONPATH=str(ROOT),
            SCHEMATHESIS_HOOKS=HOOKS,
        )
        log = server.read_log()
    if "Traceback" in log:
        (folder / "server.txt").write_text(log)
        print(f"The server's log has a traceback: {folder / 'server.txt'}")
        return False
    return passed


def prepare(folder: Path) -> None:
    """A dataset and a completed run with an evaluation and an export, so that ids refer to something."""
    from tests.data import completed_training
    from tests.routes.test_damaged_files import add_evaluation, add_export

    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    _dataset_id, training_id = completed_training(app)
    add_evaluation(app, training_id)
    add_export(app, training_id)


def cases(count: int) -> bool:
    """hypothesis, with this many cases of each kind."""
    quiet = ("-q", "-p", "no:cacheprovider", "-W", "ignore", "--timeout", "0")
    return run([sys.executable, "-m", "pytest", *quiet, "tests/fuzz"], FUZZ_CASES=str(count))


def guided(folder: Path, minutes: float, targets: list[str]) -> bool:
    """atheris, for this many minutes per reader."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: hypothesis alone has tried these readers (.venv/bin/pip install atheris)")
        return True
    seconds = str(max(1, int(minutes * 60)))
    results = [run([sys.executable, "-m", "tests.fuzz.guided", name, str(folder), seconds]) for name in targets]
    return all(results)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Feed everything with anything.")
    parser.add_argument("--minutes", type=float, default=20, help="of requests from the description (20); 0: none")
    parser.add_argument("--cases", type=int, default=10_000, help="of each kind for hypothesis (10000); 0: none")
    parser.add_argument("--each", type=float, default=10, help="minutes of atheris for each reader (10); 0: none")
    parser.add_argument("--targets", nargs="*", default=list(GUIDED), choices=GUIDED, help="of atheris")
    parser.add_argument("--folder", type=Path, default=None, help="for what is found, and for atheris to go on from")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    results: Mapping[str, bool] = {
        "requests": not args.minutes or requests(folder / "server", args.minutes),
        "cases": not args.cases or cases(args.cases),
        "guided": not args.each or guided(folder, args.each, args.targets),
    }
    faults = [name for name, fine in results.items() if not fine]
    print(f"found something: {', '.join(faults)}; see above and {folder}" if faults else "found nothing")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
