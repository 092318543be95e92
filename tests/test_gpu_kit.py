"""`make gpu-check` on the CPU: the rows that can run there, and what judges the others."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.gpu.evidence import EACH, LARGEST, Evidence
from scripts.gpu.host import Reading, Sampler, typical_difference
from scripts.gpu.kit import TINY, Fails, Kit
from scripts.gpu.training import compared
from scripts.local_server import ROOT

MB = 1024**2
# Everything but the folder of the run is read-only, as the kit promises to need it.
READ_ONLY = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'


def kit_command(output: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "scripts/gpu", "--device", "cpu", "--tiny", "--output", str(output), *arguments]
    sealed = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(output)]
    if os.geteuid() == 0 and shutil.which("unshare") and subprocess.run([*sealed, "true"], check=False).returncode == 0:
        return sealed + command
    return command


@pytest.mark.training
@pytest.mark.timeout(900)
def test_rows_that_need_no_gpu(tmp_path: Path) -> None:
    output = tmp_path / "kit"
    output.mkdir()
    rows = "training,kill and resume,precision,two slots,two GPUs,inference"
    command = kit_command(output, "--only", rows, "--minutes", "12")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=850)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((output / "results.json").read_text())
    found = {row["check"]: row for row in results["checks"]}
    assert [name for name, row in found.items() if row["result"] == "holds"] == [
        "training",
        "kill and resume",
        "inference",
    ]
    assert {row["figure"] for row in found.values() if row["result"] == "skipped"} == {
        "half precision in training needs a GPU",
        "slots are of GPUs; a CPU has one",
        "a training on two GPUs needs two; this host has 0",
    }
    assert all(row["figure"] for row in found.values())
    assert results["versions"]["torch"]
    assert sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) < 4 * 1024 * MB


def test_a_folder_of_other_things_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, "scripts/gpu", "--device", "cpu", "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "name another folder with --output" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("there may be a GPU here")
    command = [sys.executable, "scripts/gpu", "--output", str(tmp_path / "kit")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--device cpu" in done.stderr


def sampler(**values: float | None) -> Sampler:
    made = Sampler(0)
    reading: dict[str, Any] = {"utilization": 90.0, "memory": 4000.0 * MB, "temperature": 60.0, "power": 300.0} | values
    made.readings = [Reading(time=float(second), **reading) for second in range(10)]
    return made


def heard(**values: float | None) -> list[tuple[float, dict[str, Any]]]:
    gpu = {"index": 0, "utilization": 85, "memory_used": 4010 * MB, "temperature": 61, "power": 290.0} | values
    return [(second + 0.3, {"gpus": [gpu]}) for second in (1, 3, 5)]


def test_figures_that_agree_with_nvidia_smi() -> None:
    assert compared(heard(), sampler()).endswith("memory_used 10, temperature 1, power 10, utilization 5")
    assert "power not told" in compared(heard(power=None), sampler())


@pytest.mark.parametrize(
    "values", [{"memory_used": 2000 * MB}, {"temperature": 30}, {"power": 100.0}, {"utilization": 5}]
)
def test_figures_that_do_not_agree_fail(values: dict[str, float]) -> None:
    with pytest.raises(Fails, match=next(iter(values))):
        compared(heard(**values), sampler())


def test_a_stream_without_the_gpu_fails() -> None:
    with pytest.raises(Fails, match="without the GPU"):
        compared([(1.0, {"gpus": []})], sampler())
    with pytest.raises(Fails, match="no message"):
        compared([(100.0, heard()[0][1])], sampler())


def test_typical_difference() -> None:
    assert typical_difference([(1.0, 2.0), (None, 9.0), (5.0, 2.0), (4.0, 4.0)]) == 1.0
    assert typical_difference([(None, 1.0)]) is None


def test_evidence_stays_small(tmp_path: Path) -> None:
    for number in range(30):
        folder = tmp_path / "servers" / str(number)
        folder.mkdir(parents=True)
        (folder / "server.log").write_bytes(b"first line\n" + bytes(2 * EACH) + b"last line\n")
    target = Evidence(tmp_path).collect({"checks": []})
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    assert 10 * MB < sum(sizes) <= LARGEST
    log = next(target.rglob("server.log")).read_bytes()
    assert log.startswith(b"first line")
    assert log.endswith(b"last line\n")
    names = {path.name for path in target.iterdir()}
    assert {"results.json", "versions.json", "nvidia-smi-before.txt", "nvidia-smi-after.txt"} <= names


def test_drawn_data_is_whole(tmp_path: Path) -> None:
    names = zipfile.ZipFile(Kit(tmp_path, "cpu", TINY, float("inf")).archive).namelist()
    assert names.count("data.yaml") == 1
    assert len(set(names)) == len(names) == 2 * TINY.images + 1
    assert sum(name.startswith("images/val/") for name in names) == TINY.validation
