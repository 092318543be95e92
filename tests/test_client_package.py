"""The installed client: in a fresh environment, outside the repository."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scripts.local_server import ROOT, Server

OFFLINE = ("Failed to establish a new connection", "No matching distribution found", "Temporary failure in name")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a new environment, into which the client was installed by pip."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=True)
    commands = folder / "venv" / "bin"
    completed = run(
        commands / "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT / "scripts" / "client")
    )
    if completed.returncode and any(text in completed.stderr for text in OFFLINE):
        pytest.skip(f"no package index: {completed.stderr[-200:]}")
    assert completed.returncode == 0, completed.stderr
    return commands


def run(*command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Without the repository on the path."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder or Path.home())}
    return subprocess.run(
        list(map(str, command)), cwd=folder or "/", env=environment, capture_output=True, text=True, timeout=280
    )


def test_it_brings_no_ml_library(installed: Path) -> None:
    listed = run(installed / "pip", "list", "--format", "json", "--disable-pip-version-check")
    names = {item["name"].lower() for item in json.loads(listed.stdout)}
    assert {"yolo-training-platform-client", "requests", "python-socketio", "tuspy"} <= names
    assert not names & {"torch", "ultralytics", "numpy", "opencv-python", "flask"}


def test_the_installed_command_talks_to_a_server(installed: Path, threading_server: Server, tmp_path: Path) -> None:
    client = [installed / "yolo-client", "--url", threading_server.url]
    archive = ROOT / "tests" / "fixtures" / "datasets" / "globox-yolo.zip"
    sent = run(*client, "upload", archive, "--name", "From afar", folder=tmp_path)
    assert sent.returncode == 0, sent.stderr
    dataset = json.loads(sent.stdout)
    assert (dataset["name"], dataset["status"]) == ("From afar", "valid")
    renamed = run(*client, "edit-dataset", str(dataset["id"]), "--name", "From afar", "--description", "Sent by pip")
    assert json.loads(renamed.stdout)["description"] == "Sent by pip"
    saved = run(*client, "export", str(dataset["id"]), "export.zip", folder=tmp_path)
    assert saved.returncode == 0, saved.stderr
    assert (tmp_path / "export.zip").stat().st_size > 0
    refused = run(*client, "revisions", "999", folder=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith("404: ")
    script = f"from yolo_client import Client; print(Client({threading_server.url!r}).dataset({dataset['id']})['name'])"
    assert run(installed / "python", "-c", script, folder=tmp_path).stdout == "From afar\n"


UNREACHABLE = "The server at http://127.0.0.1:9 can't be reached: Connection refused."


def test_an_unreachable_server_is_reported_in_a_sentence(installed: Path, tmp_path: Path) -> None:
    image = tmp_path / "photo.jpg"
    image.touch()
    (tmp_path / "large.zip").write_bytes(bytes(21 * 1024**2))
    client = [installed / "yolo-client", "--url", "http://127.0.0.1:9"]
    for words in (["queue"], ["watch", "1"], ["test", "1", image], ["upload", "large.zip", "--name", "Large"]):
        failed = run(*client, *words, folder=tmp_path)
        assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", f"{UNREACHABLE}\n"), words
    for url in ("localhost", "127.0.0.1:5000"):
        failed = run(installed / "yolo-client", "--url", url, "queue")
        assert failed.stderr == f"“{url}” isn't a server address. Write it as http://127.0.0.1:5000.\n"


def test_an_argument_that_is_no_json_object_is_reported(installed: Path) -> None:
    for text in ("oops", "[1]"):
        failed = run(installed / "yolo-client", "edit", "1", text)
        assert failed.returncode == 2
        assert "argument JSON: expected a JSON object" in failed.stderr


def test_watching_what_is_refused_prints_the_reason(installed: Path, threading_server: Server) -> None:
    failed = run(installed / "yolo-client", "--url", threading_server.url, "watch", "999999")
    assert (failed.returncode, failed.stderr) == (1, "404: Run 999999 doesn't exist.\n")


def test_it_works_uninstalled_inside_the_repository(threading_server: Server) -> None:
    command = [sys.executable, "-m", "scripts.client", "--url", threading_server.url, "queue"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
