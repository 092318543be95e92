"""Exports of models contain nothing about the machine that created them."""

import subprocess
import sys
import zipfile
from pathlib import Path

from app.jobs.process import child_environment
from scripts.local_server import ROOT

PROGRAM = """
import sys, torch, zipfile
from pathlib import Path
from types import SimpleNamespace
from app.worker.exporting.portable import shorten_data, without_debug
path = Path(sys.argv[1])
traced = torch.jit.trace(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), torch.ones(1, 4))
torch.jit.save(traced, path, _extra_files={"config.txt": "about it"})
with zipfile.ZipFile(path) as archive:
    before = b"".join(map(archive.read, archive.namelist()))
without_debug(path)
extra = {"config.txt": ""}
again = torch.jit.load(path, _extra_files=extra)
assert torch.equal(again(torch.ones(1, 4)), traced(torch.ones(1, 4)))
assert extra["config.txt"] in (b"about it", "about it")
assert b"site-packages" in before
model = SimpleNamespace(args={"data": "/srv/platform/data/datasets/1/dataset.yaml", "imgsz": 64})
shorten_data(model)
assert model.args == {"data": "dataset.yaml", "imgsz": 64}
shorten_data(SimpleNamespace())
"""


def test_a_torchscript_has_no_stack_traces(tmp_path: Path) -> None:
    path = tmp_path / "model.torchscript"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    process = subprocess.run(command, env=child_environment({}), cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert process.returncode == 0, process.stderr
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"site-packages" not in content
    assert str(ROOT).encode() not in content
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
