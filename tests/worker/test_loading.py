"""Weights that were checked once are loaded repeatedly: each time under a memory limit of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.jobs.process import child_environment

PROGRAM = """
import io, resource, struct, sys, zipfile
from pathlib import Path

path = Path(sys.argv[1])
side = struct.pack("<i", 6_000)  # 144 MB out of a few bytes: torch.nn.Linear(6_000, 6_000)
with zipfile.ZipFile(path, "w") as archive:
    layer = b"ctorch.nn.modules.linear\\nLinear\\n" + b"J" + side + b"J" + side + b"\\x86R."
    archive.writestr("model/data.pkl", b"\\x80\\x02" + layer)
    archive.writestr("model/version", "3\\n")
    archive.writestr("model/byteorder", "little")

from app.core import weights as limits
limits.LOADING = 64 * 1024**2
import torch
from app.core.exports import ExportSpec
from app.worker import measuring, weights
from app.worker.exporting.convert import convert
from app.worker.failures import kind_of
from app.worker.programs.export_model import parameters
from app.worker.serving.engines import Engine

before = resource.getrlimit(resource.RLIMIT_DATA)
spec = ExportSpec(str(path), "", "onnx", "", "detect", 64)
for load in (
    lambda: Engine(str(path), "cpu"),
    lambda: measuring.load(path, "detect"),
    lambda: weights.check(path, weights.RequiredModel("yolov8n", "detect")),
    lambda: convert(spec, path, path.parent / "made"),
    lambda: parameters(path, "detect"),
):
    try:
        load()
    except Exception as error:
        print(kind_of(error))
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
assert torch.zeros(6_000, 6_000).sum() == 0, "only loading has the limit"
"""


@pytest.mark.timeout(200)
def test_everything_that_loads_weights_has_the_limit(tmp_path: Path) -> None:
    environment = child_environment({"YOLO_CONFIG_DIR": str(tmp_path)})
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "model.pt")]
    process = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-5:] == ["out_of_memory"] * 5, process.stdout + process.stderr
