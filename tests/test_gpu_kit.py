"""`make gpu-check` on the CPU: the rows that can run there, and the functions that judge the others."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.gpu.data import DrawnData
from scripts.gpu.evidence import EACH, LARGEST, Evidence
from scripts.gpu.host import Reading, Sampler, compute_capability, gpu_names, read_gpu, typical_difference
from scripts.gpu.outcome import Fails
from scripts.gpu.training import compared
from scripts.local_server import ROOT

MB = 1024**2
# Everything but the folder of the run is read-only, since the kit must not write elsewhere.
READ_ONLY = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'


def kit_command(output: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "scripts/gpu", "--device", "cpu", "--tiny", "--output", str(output), *arguments]
    sealed = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(output)]
    if os.geteuid() == 0 and shutil.which("unshare") and subprocess.run([*sealed, "true"], check=False).returncode == 0:
        return sealed + command
    return command


def run_kit(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "scripts/gpu", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=240, check=False
    )


def rows_of(output: Path) -> dict[str, dict[str, Any]]:
    results = json.loads((output / "results.json").read_text())
    return {row["check"]: row for row in results["checks"]}


@pytest.mark.training
@pytest.mark.timeout(900)
def test_rows_that_need_no_gpu(tmp_path: Path) -> None:
    """Those that take up to a minute; `make gpu-check ARGS="--device cpu --tiny"` runs all in two and a half."""
    output = tmp_path / "kit"
    output.mkdir()
    rows = "host,training,kill and resume,precision,two slots,two GPUs,inference,exports"
    command = kit_command(output, "--only", rows, "--minutes", "13")
    # Such a small model does not benefit from two threads, and on a busy machine each waits for the other. Temporary
    # files belong on the file system that is read-only here, even where those of other tests are in memory.
    env = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": "/tmp"}
    completed = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=850)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    results = json.loads((output / "results.json").read_text())
    checks = {row["check"]: row for row in results["checks"]}
    passed = [name for name, row in checks.items() if row["result"] == "holds"]
    assert passed == ["host", "training", "kill and resume", "inference", "exports"]
    assert {row["figure"] for row in checks.values() if row["result"] == "skipped"} == {
        "half precision in training needs a GPU",
        "slots are of GPUs; a CPU has one",
        "a training on two GPUs needs two; this host has 0",
    }
    assert all(row["figure"] for row in checks.values())
    assert results["versions"]["torch"]
    assert results["bytes"] < 4 * 1024 * MB
    assert not (output / "evidence").exists()


def test_a_folder_of_other_things_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    completed = run_kit("--device", "cpu", "--output", str(tmp_path))
    assert completed.returncode == 1
    assert "name another folder with --output" in completed.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_without_a_gpu_it_names_the_option(tmp_path: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("there may be a GPU here")
    completed = run_kit("--output", str(tmp_path / "kit"))
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "--device cpu" in completed.stderr


def test_missing_requirements_are_reported_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "psutil.py").write_text("raise ModuleNotFoundError('no psutil', name='psutil')")
    completed = run_kit("--device", "cpu", "--output", str(tmp_path / "kit"), PYTHONPATH=str(tmp_path))
    assert completed.returncode == 2
    assert "has no psutil: python3 -m pip install -r requirements.txt" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_server_that_does_not_start_leaves_its_log(tmp_path: Path) -> None:
    broken, output = tmp_path / "broken", tmp_path / "kit"
    broken.mkdir()
    (broken / "flask_socketio.py").write_text("raise ImportError('flask_socketio is of another Python')")
    completed = run_kit(
        "--device", "cpu", "--tiny", "--only", "training,inference", "--output", str(output), PYTHONPATH=str(broken)
    )
    assert completed.returncode == 1, completed.stdout + completed.stderr
    rows = rows_of(output)
    assert {row["result"] for row in rows.values()} == {"fails"}
    assert "flask_socketio is of another Python" in rows["training"]["figure"]
    assert "Traceback" in rows["training"]["traceback"]
    evidence = output / "evidence"
    assert "flask_socketio is of another Python" in (evidence / "servers" / "1" / "server.log").read_text()
    assert json.loads((evidence / "results.json").read_text())["checks"][1]["check"] == "inference"
    assert "flask" in {name.lower() for name in json.loads((evidence / "versions.json").read_text())["packages"]}
    assert {"nvidia-smi-before.txt", "nvidia-smi-after-training.txt"} <= {path.name for path in evidence.iterdir()}


def test_time_that_ends_in_the_middle_of_a_check(tmp_path: Path) -> None:
    output = tmp_path / "kit"
    completed = run_kit(
        "--device", "cpu", "--tiny", "--only", "training,exports", "--minutes", "0.3", "--output", str(output)
    )
    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert "2 not run" in completed.stdout
    rows = rows_of(output)
    assert (
        rows["training"]["figure"] == 'the time of the run ended in the middle of it: --only "training" runs it alone'
    )
    assert rows["exports"]["figure"] == 'the time of the run was over: --only "exports" runs it alone'
    assert not [process for process in psutil.process_iter(["cmdline"]) if str(output) in str(process.info["cmdline"])]


NVIDIA_SMI = """#!/bin/sh
case "$*" in
*=name,driver*) echo "NVIDIA H200, 570.1, 143771 MiB" ;;
*=compute_cap*) echo 9.0 ;;
*=name*) echo "NVIDIA H200" ;;
*=utilization*) echo "87, 4000, 61, [N/A]" ;;
-q) echo "GPU 00000000:18:00.0" ;;
esac
"""


@pytest.fixture
def fake_smi(tmp_path: Path) -> Path:
    """A folder for PATH with an nvidia-smi that prints a real one's output."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(NVIDIA_SMI)
    (folder / "nvidia-smi").chmod(0o755)
    return folder


def test_readings_of_nvidia_smi(fake_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{fake_smi}:{os.environ['PATH']}")
    assert gpu_names() == ["NVIDIA H200"]
    assert compute_capability(0) == 9.0
    reading = read_gpu(0)
    assert (reading.utilization, reading.memory, reading.temperature, reading.power) == (87, 4000 * MB, 61, None)


def test_a_torch_that_sees_no_gpu_ends_the_run_at_once(tmp_path: Path, fake_smi: Path) -> None:
    output = tmp_path / "kit"
    completed = run_kit("--only", "host,training", "--output", str(output), PATH=f"{fake_smi}:{os.environ['PATH']}")
    assert completed.returncode == 1, completed.stdout + completed.stderr
    rows = rows_of(output)
    assert "nvidia-smi sees NVIDIA H200" in rows["host"]["figure"]
    assert (rows["training"]["result"], rows["training"]["figure"]) == ("not run", "host does not hold")
    assert "GPU 00000000:18:00.0" in (output / "evidence" / "nvidia-smi-before.txt").read_text()


def sampler(**values: float | None) -> Sampler:
    sampler = Sampler(0)
    reading: dict[str, Any] = {"utilization": 90.0, "memory": 4000.0 * MB, "temperature": 60.0, "power": 300.0} | values
    sampler.readings = [Reading(time=float(second), **reading) for second in range(10)]
    return sampler


def system_messages(**values: float | None) -> list[tuple[float, dict[str, Any]]]:
    gpu = {"index": 0, "utilization": 85, "memory_used": 4010 * MB, "temperature": 61, "power": 290.0} | values
    return [(second + 0.3, {"gpus": [gpu]}) for second in (1, 3, 5)]


def test_figures_that_agree_with_nvidia_smi() -> None:
    assert compared(system_messages(), sampler()).endswith("memory_used 10, temperature 1, power 10, utilization 5")
    assert "power not told" in compared(system_messages(power=None), sampler())


@pytest.mark.parametrize(
    "values", [{"memory_used": 2000 * MB}, {"temperature": 30}, {"power": 100.0}, {"utilization": 5}]
)
def test_figures_that_do_not_agree_fail(values: dict[str, float]) -> None:
    with pytest.raises(Fails, match=next(iter(values))):
        compared(system_messages(**values), sampler())


def test_a_stream_without_the_gpu_fails() -> None:
    with pytest.raises(Fails, match="without the GPU"):
        compared([(1.0, {"gpus": []})], sampler())
    with pytest.raises(Fails, match="no message"):
        compared([(100.0, system_messages()[0][1])], sampler())


def test_typical_difference() -> None:
    assert typical_difference([(1.0, 2.0), (None, 9.0), (5.0, 2.0), (4.0, 4.0)]) == 1.0
    assert typical_difference([(None, 1.0)]) is None


def test_evidence_stays_small(tmp_path: Path) -> None:
    for number in range(30):
        folder = tmp_path / "servers" / str(number)
        folder.mkdir(parents=True)
        (folder / "server.log").write_bytes(b"first line\n" + bytes(2 * EACH) + b"last line\n")
    target = Evidence(tmp_path).collect({"checks": []}, "two slots")
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    assert 10 * MB < sum(sizes) <= LARGEST
    log = next(target.rglob("server.log")).read_bytes()
    assert log.startswith(b"first line")
    assert log.endswith(b"last line\n")
    names = {path.name for path in target.iterdir()}
    expected = {"results.json", "versions.json", "nvidia-smi-before.txt", "nvidia-smi-after-two-slots.txt"}
    assert expected | {"nvidia-smi-after.txt"} <= names


def test_drawn_data_is_complete(tmp_path: Path) -> None:
    data = DrawnData(tmp_path, images=25, size=64)
    names = zipfile.ZipFile(data.archive).namelist()
    assert names.count("data.yaml") == 1
    assert len(set(names)) == len(names) == 2 * 25 + 1
    assert sum(name.startswith("images/val/") for name in names) == 5
