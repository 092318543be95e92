"""The description and the server agree, and no described operation causes an internal error: a few requests of
schemathesis for each operation, valid and invalid ones. For longer runs, see the wiki.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import create_app
from scripts.local_server import ROOT
from tests.attacks.conftest import started_target
from tests.routes.test_damaged_files import add_evaluation, add_export

OPTIONS = (
    *("--checks", "all", "--phases", "fuzzing", "--max-examples", "2", "--no-shrink", "--generation-deterministic"),
    *("--request-timeout", "120", "--max-response-time", "120", "--warnings", "off", "--no-color"),
    *("--exclude-path", "/api/datasets/sample"),  # it draws for seconds, and has no input
)


@pytest.mark.timeout(900)
def test_every_operation(tmp_path: Path) -> None:
    # The created runs wait for this much free disk space.
    for target in started_target(tmp_path, "threading", DISK_RESERVE="1000000GB"):
        app = create_app("cli", target.server.settings)
        add_evaluation(app, target.training_id)
        add_export(app, target.training_id)
        weights = Path(app.config["MODELS_DIR"], str(target.training_id), "run/weights/best.pt")
        weights.unlink()  # no process loads torch for them
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "schemathesis.toml"), "run"]
        completed = subprocess.run(
            [*command, f"{target.server.url}/api/openapi.json", *OPTIONS],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.attacks.schemathesis_hooks"},
            capture_output=True,
            text=True,
            timeout=840,
            check=False,
        )
        (tmp_path / "schemathesis.log").write_text(completed.stdout + completed.stderr)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        assert "Traceback" not in target.server.read_log()
