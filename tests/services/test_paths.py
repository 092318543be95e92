"""Texts about failures name the user's files, never the machine's folders."""

import io
import json
import sys
import traceback
import zipfile
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.config import ROOT
from app.core.paths import redact_paths
from app.database import writing
from app.events import Failed, Note
from app.jobs.attempt import AttemptRow
from app.jobs.ending import Ending
from app.jobs.model import Job
from app.jobs.supervisor_context import SupervisorContext
from app.models import Dataset
from app.services.trainer.bundle import public_config
from tests.services.runs import create_training, numbered, recorder, service

DATA = Path("/srv/big disk/yolo")
NAMES = {3: "Cars (2)"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"missing path '{DATA}/datasets/3/images/val'", "missing path 'Cars (2)/images/val'"),
        (f"{DATA}/datasets/3/revisions/12/labels/a b.txt: line 2", "Cars (2)/labels/a b.txt: line 2"),
        (f"nothing in {DATA}/datasets/3. See", "nothing in Cars (2). See"),
        (f"{DATA}/datasets/33/dataset.yaml", "datasets/33/dataset.yaml"),
        (f"{DATA}/models/7/run/weights/last.pt is gone", "models/7/run/weights/last.pt is gone"),
        (f"No space left on device: '{DATA}'", "No space left on device: 'data'"),
        (f'File "{ROOT}/app/worker/train.py", line 3', 'File "app/worker/train.py", line 3'),
        (f'File "{ROOT}/.venv/lib/python3.11/site-packages/torch/nn.py"', 'File "torch/nn.py"'),
        ("/usr/lib/python3.11/threading.py", "threading.py"),
        ("cannot open /home/someone/secret/x.jpg (ENOENT)", "cannot open …/x.jpg (ENOENT)"),
        ("more of /dev/shm/x; see https://docs.ultralytics.com/modes/train", None),
        ("/dev/shm/someone/x.jpg and /dev/shm", "…/x.jpg and /dev/shm"),
        ("1/20 0G 1.2 and/or 3/4 images/s ./here/it ~/there/it", None),
        ("Datensätze: imagens/treino não há", None),
    ],
)
def test_paths(text: str, expected: str | None) -> None:
    assert redact_paths(text, DATA, NAMES) == (text if expected is None else expected)


WORKER = Path("/mnt/big disk/yolo/workers/host-1-gpu0")


@pytest.mark.parametrize(
    ("text", "public"),
    [
        (f"missing path '{WORKER}/datasets/3/revisions/1/images/val'", "missing path 'Cars (2)/images/val'"),
        ("missing path '/mnt/big disk/yolo/datasets/3/revisions/1/images/val'", "missing path 'Cars (2)/images/val'"),
        ("/mnt/big disk/yolo/cache/3-1-ab.part/x: no space", "cache/3-1-ab.part/x: no space"),
        (f"{WORKER}/models/7/run/weights/last.pt is gone", "models/7/run/weights/last.pt is gone"),
        ("/mnt/secret/x of another", "…/x of another"),
    ],
)
def test_paths_of_the_folder_of_a_worker(text: str, public: str) -> None:
    """Datasets are in its host's folder: a child's message may name them by either path."""
    assert redact_paths(text, WORKER, NAMES) == public


def test_a_config_has_no_paths_of_the_host_that_wrote_it(tmp_path: Path) -> None:
    """The attempt that follows on another host writes none where only the end was missing."""
    for number, host in ((1, "/srv/one"), (2, "/srv/two")):
        attempt = tmp_path / "models/7/attempts" / str(number)
        attempt.mkdir(parents=True)
        (attempt / "spec.json").write_text(json.dumps({"training_dir": f"{host}/yolo/models/7"}))
    folder = tmp_path / "models/7"
    for host in ("/srv/one/yolo", "/srv/two/yolo", tmp_path):
        config = f"dataset: {host}/datasets/3/revisions/1/dataset.yaml\nsave_dir: {host}/models/7/run\n"
        (folder / "config.yaml").write_text(config)
        assert public_config(folder) == "dataset: datasets/3/dataset.yaml\nsave_dir: models/7/run\n"


@pytest.mark.parametrize("data", ["/", "/workers/a", "/data"])
def test_the_root_is_no_folder_of_ours(data: str) -> None:
    assert redact_paths("/etc/yolo/secret.txt", Path(data)) == "…/secret.txt"


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    text = f"{tmp_path}/data/datasets/3/a.jpg, {tmp_path}/disk/datasets/3/b.jpg"
    assert redact_paths(text, tmp_path / "data", NAMES) == "Cars (2)/a.jpg, Cars (2)/b.jpg"


def test_a_traceback_remains_readable() -> None:
    try:
        Path("/no/such/folder/x").read_text()
    except FileNotFoundError:
        redacted = redact_paths(traceback.format_exc(), DATA)
    assert 'File "tests/services/test_paths.py", line' in redacted
    assert 'File "pathlib.py", line' in redacted
    assert redacted.endswith("No such file or directory: '…/x'\n")
    assert sys.prefix not in redacted


def test_a_long_line_takes_no_time() -> None:
    line = "/" + "ab/" * 50_000 + " " + "━" * 100_000 + "'" * 1000 + "x" * 100_000
    assert len(redact_paths(line, DATA)) < len(line)


def test_no_server_folder_is_disclosed(idle_app: APIFlask, tmp_path: Path) -> None:
    """In the API, the room's messages, stored messages, the log: wherever a failure is shown."""
    training_id = create_training(idle_app)
    client = idle_app.test_client()
    with idle_app.app_context(), writing() as session:
        session.query(Dataset).one().name = "Cars (2)"
    dataset_id = client.get(f"/api/trainings/{training_id}").json["dataset_id"]
    images = Path(idle_app.config["DATASETS_DIR"]) / str(dataset_id) / "images/val"
    error = f"Dataset '{images.parents[1]}/dataset.yaml' error: images not found, missing path '{images}'"
    directory = service(idle_app).store.attempt_dir(training_id, 1)
    directory.mkdir(parents=True)
    (directory / "worker.log").write_text(f"val: Scanning {images}... 0 images\n")
    note = Note("weights_rejected", {"name": "x.pt", "reason": f"no {images}"})
    with idle_app.app_context():
        messages = recorder(idle_app).apply(
            training_id, 1, numbered([note, Failed("data", error, f"\x1b[1mError: {error}")])
        )
    body = client.get(f"/api/trainings/{training_id}").json
    reason = "Dataset 'Cars (2)/dataset.yaml' error: images not found, missing path 'Cars (2)/images/val'"
    assert f"“{reason}”" in body["error"]
    sent = next(item.payload for item in messages if item.event == "training_error")
    assert (sent["error"], sent["traceback"]) == (reason, f"Error: {reason}")
    log = client.get(f"/api/trainings/{training_id}/log").json["text"]
    assert log == f"val: Scanning datasets/{dataset_id}/images/val... 0 images\n"
    every = [body, messages, client.get(f"/api/trainings/{training_id}/events").json]
    assert "no Cars (2)/images/val" in str(every)
    assert str(tmp_path) not in str(every)


def test_what_a_worker_has_sent_names_none_of_its_folders(idle_app: APIFlask) -> None:
    """Its output and events, in the folder that received its files: in the log, the bundle, and an ending written for
    it.
    """
    training_id = create_training(idle_app)
    client = idle_app.test_client()
    dataset_id = client.get(f"/api/trainings/{training_id}").json["dataset_id"]
    folder = service(idle_app).store.folder(training_id)
    directory = service(idle_app).store.attempt_dir(training_id, 1)
    directory.mkdir(parents=True)
    line = f"val: Scanning {WORKER}/datasets/{dataset_id}/revisions/1/images/val, then {WORKER}/models/1/run"
    (directory / "worker.log").write_text(line + "\n")
    (directory / "events.jsonl").write_text(json.dumps({"text": line}) + "\n")
    (directory / "spec.json").write_text(json.dumps({"training_dir": f"{WORKER}/models/{training_id}"}))
    (folder / "config.yaml").write_text(
        f"arguments: {{data: '{WORKER}/datasets/{dataset_id}/revisions/1/dataset.yaml'}}"
    )
    with idle_app.app_context():
        recorder(idle_app).apply(training_id, 1, numbered([Failed("data", line, "")]))
    public = f"val: Scanning datasets/{dataset_id}/images/val, then models/1/run"
    assert client.get(f"/api/trainings/{training_id}/log").json["text"] == public + "\n"
    error = client.get(f"/api/trainings/{training_id}").json["error"]
    assert public.replace(f"datasets/{dataset_id}", "Things") in error
    with zipfile.ZipFile(io.BytesIO(client.get(f"/api/trainings/{training_id}/bundle").data)) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert public in texts["log/attempt-1.log"]
    assert public in texts["log/attempt-1-events.jsonl"]
    assert [name for name, text in texts.items() if "big disk" in text] == []


def test_the_reason_of_a_failed_job_names_no_folder(idle_app: APIFlask) -> None:
    """On every machine, since its row contains none."""
    jobs = idle_app.extensions["services"].jobs
    context = SupervisorContext(jobs.kinds, jobs.live, jobs.root, jobs.announce)
    with idle_app.app_context():
        with writing() as session:
            row = Job(kind="estimate", status="running", attempt=1, params={})
            session.add(row)
            session.flush()
            job_id = row.id
        data = jobs.root.parent
        ending = Ending(context, jobs.kinds["estimate"], AttemptRow(job_id, 1), jobs.root / "x" / "1")
        job = ending.write(Failed("data", f"no images in {data}/datasets/3/revisions/1/images/val and /mnt/secret/x"))
        assert job.error == {"code": "data", "message": "no images in datasets/3/images/val and …/x"}
