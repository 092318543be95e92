"""The part of the server's environment that child processes get."""

import ast
import json
import os
import time
from pathlib import Path

import pytest

from app.config import ROOT, SettingError, load_settings
from app.jobs.environment import PASSED_ON, PassedOn
from app.jobs.process import Child, child_environment

SECRETS = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "HF_TOKEN",
    "DATABASE_URL",
    "SECRET_KEY",
    "GITHUB_TOKEN",
    "PGPASSWORD",
    "WANDB_API_KEY",
    "ULTRALYTICS_API_KEY",
    "YOLO_TOKEN",
    "REDIS_URL",
    "SSH_AUTH_SOCK",
    "SMTP_PASS",
]
NEEDED = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NCCL_DEBUG",
    "PYTORCH_CUDA_ALLOC_CONF",
    "LD_LIBRARY_PATH",
    "http_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "YOLO_VERBOSE",
    "PYTHONHASHSEED",
]


def test_what_is_needed_and_no_secrets() -> None:
    environment = dict.fromkeys([*SECRETS, *NEEDED, "ANYTHING"], "x")
    assert set(PassedOn().select(environment)) == set(NEEDED)


def test_each_child_has_an_explicit_environment() -> None:
    """All code that starts a process of the server passes an environment; grandchildren inherit it."""
    missing = []
    for path in (ROOT / "app").rglob("*.py"):
        if "worker" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called.startswith(("subprocess.", "os.exec", "os.spawn", "os.system", "os.popen")):
                missing += [f"{path.name}:{node.lineno}"] * ("env" not in {item.arg for item in node.keywords})
    assert missing == []


def test_the_setting_adds_names() -> None:
    passed = PassedOn()
    passed.more = load_settings({"CHILD_ENV": "HF_TOKEN, PLUGIN_*"}).CHILD_ENV
    assert set(passed.select(dict.fromkeys(["HF_TOKEN", "HF_HOME", "PLUGIN_A", "MY_PLUGIN_A"], "x"))) == {
        "HF_TOKEN",
        "PLUGIN_A",
    }
    for wrong in ("*", "A B", "A=B"):
        with pytest.raises(SettingError):
            load_settings({"CHILD_ENV": wrong})


def test_a_real_child_has_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the kernel, for a process that was started like a training."""
    for name in SECRETS:
        monkeypatch.setenv(name, "hush-hush")
    monkeypatch.setattr(PASSED_ON, "more", ("SMTP_PASS",))
    child = Child.start("sample", tmp_path, None, {})
    try:
        end = time.monotonic() + 180
        environ = b""
        while b"YOLO_OFFLINE" not in environ and time.monotonic() < end:
            environ = Path(f"/proc/{child.pid}/environ").read_bytes()
        names = [item.partition(b"=")[0].decode() for item in environ.split(b"\0") if b"hush-hush" in item]
        assert names == ["SMTP_PASS"]
    finally:
        child.signal(9)
    assert json.dumps(child_environment({})).count("hush-hush") == 1
    assert os.environ["HF_TOKEN"] == "hush-hush"
