"""The container's files: their paths exist, and the image's command serves."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import requests
import yaml

from app.config import load_settings
from scripts.local_server import ROOT, free_port, settings_for

COMMAND = ["gunicorn", "--worker-class", "eventlet", "-w", "1", "--bind", "0.0.0.0:5000", "run:app"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines if line.strip()]


def values(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def ignored_by_docker(source: str) -> bool:
    """Whether .dockerignore excludes a file or folder: it excludes everything, then lists exceptions."""
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in lines
    return not {f"!{source.strip('/')}", f"!{source.strip('/').split('/')[0]}"} & set(lines)


def test_the_image_runs_the_specified_command_on_a_python_that_is_safe() -> None:
    assert json.loads(values("CMD")[-1]) == COMMAND
    (base,) = values("FROM")
    version = re.fullmatch(r"python:(\d+)\.(\d+)(?:\.(\d+))?-slim.*", base)
    assert version, base
    assert (int(version[1]), int(version[2]), int(version[3] or 99)) >= (3, 11, 8)  # older: overlapping ZIP entries


def test_everything_that_is_copied_exists_and_reaches_the_build() -> None:
    for arguments in values("COPY"):
        *sources, _ = shlex.split(arguments)
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not ignored_by_docker(source), source


def test_what_the_application_needs_is_copied() -> None:
    copied = {source for arguments in values("COPY") for source in shlex.split(arguments)[:-1]}
    assert {"app", "run.py", "gunicorn.conf.py", "requirements.lock", "LICENSE"} <= copied
    assert ignored_by_docker(".env")
    assert ignored_by_docker("data")
    assert ignored_by_docker("instance")


def test_what_the_copied_scripts_run_is_copied() -> None:
    """A worker runs another program to check access to the store, and waits until that succeeds."""
    copied = {source for arguments in values("COPY") for source in shlex.split(arguments)[:-1]}
    scripts = [ROOT / source for source in copied if source.startswith("scripts/")]
    assert ROOT / "scripts" / "worker.py" in scripts
    started = {name for path in scripts for name in re.findall(r'"-m", "scripts\.(\w+)"', path.read_text())}
    imported = {name for path in scripts for name in re.findall(r"^ *from scripts\.(\w+)", path.read_text(), re.M)}
    assert {"storage"} == started | imported
    assert {f"scripts/{name}.py" for name in started} <= copied


def test_the_image_answers_to_the_address_of_its_machine() -> None:
    assert {"HOST=0.0.0.0", "AUTH=required"} <= set(" ".join(values("ENV")).split())


def test_the_image_is_locked_and_not_root() -> None:
    names = [name for name, _ in instructions()]
    assert any("--require-hashes -r requirements.lock" in line for line in values("RUN"))
    assert values("USER")[-1] not in {"root", "0"}
    assert names.index("USER") > max(index for index, name in enumerate(names) if name == "RUN")
    assert values("EXPOSE") == ["5000"]
    assert json.loads(values("VOLUME")[0]) == ["/app/data", "/app/instance", "/app/logs"]
    (check,) = values("HEALTHCHECK")
    assert "http://127.0.0.1:5000/health" in check
    assert "libgl1" in values("RUN")[0]
    assert "libglib2.0-0" in values("RUN")[0]


def test_compose_provides_what_training_needs() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    assert set(compose["services"]) == {"cpu", "gpu"}
    for service in compose["services"].values():
        assert (ROOT / "deploy" / service["build"]["context"] / "Dockerfile").exists()
        mounted = {volume.split(":")[1] for volume in service["volumes"]}
        assert mounted == set(json.loads(values("VOLUME")[0]))
        assert {volume.split(":")[0] for volume in service["volumes"]} == set(compose["volumes"])
        assert service["shm_size"] == "8gb"
        assert service["ports"] == ["${PUBLISH:-127.0.0.1}:5000:5000"], "by itself for this machine alone"
    (device,) = compose["services"]["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]


def test_nginx_is_in_front_of_the_application() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    proxy = yaml.safe_load((ROOT / "deploy" / "compose.nginx.yaml").read_text())["services"]["nginx"]
    config = (ROOT / "deploy" / "nginx.conf").read_text()
    for service in compose["services"].values():
        assert service["networks"]["default"]["aliases"] == ["application"]
    assert "sed s/127.0.0.1:5000/application:5000/" in " ".join(proxy["command"])
    assert config.count("127.0.0.1:5000") == 1
    assert all(port.startswith("127.0.0.1:") for port in proxy["ports"])
    assert f"client_max_body_size {load_settings({}).MAX_UPLOAD_SIZE // 1024**2}m;" in config


def test_only_nginx_is_trusted_and_it_forwards_no_client_headers() -> None:
    """Docker assigns addresses in order, and the application starts before nginx."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.nginx.yaml").read_text())
    address = ip_address(compose["services"]["nginx"]["networks"]["default"]["ipv4_address"])
    (pool,) = compose["networks"]["default"]["ipam"]["config"]
    assert address in ip_network(pool["subnet"])
    assert address not in ip_network(pool["ip_range"])
    for name in ("cpu", "gpu"):
        trusted = load_settings(compose["services"][name]["environment"]).TRUSTED_PROXIES
        assert trusted == (ip_network(str(address)),)
    config = (ROOT / "deploy" / "nginx.conf").read_text()
    for name in ("For $remote_addr", "Proto $scheme", 'Host ""'):
        assert f"proxy_set_header X-Forwarded-{name};" in config


def answer(url: str, process: subprocess.Popen[bytes], seconds: float = 180) -> requests.Response:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            return requests.get(url, timeout=5)
        except (requests.ConnectionError, requests.Timeout):  # a busy machine
            time.sleep(0.05)
    pytest.fail(f"no answer; exit status {process.poll()}")


def test_the_images_command_serves_and_stops(tmp_path: Path) -> None:
    port = free_port()
    command = [part.replace("0.0.0.0:5000", f"127.0.0.1:{port}") for part in json.loads(values("CMD")[-1])]
    bin_folder = str(Path(sys.executable).parent)
    for name in ("data", "instance", "logs"):  # as in the image
        (tmp_path / name).mkdir()
    environment = settings_for(tmp_path) | {"PATH": f"{bin_folder}:/usr/bin:/bin"}
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            assert answer(f"http://127.0.0.1:{port}/health", process).json() == {"status": "ok"}
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:  # by TERM: a killed master would leave its worker behind
            process.terminate()
            process.wait(60)
    assert "Using worker: eventlet" in (tmp_path / "log").read_text()
