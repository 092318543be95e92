"""Each kind of job of workers finds, on another host with a data folder of its own, every file of its spec."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app import create_app
from app.database import writing
from app.extensions import db
from app.jobs.attempt import AttemptRow
from app.jobs.collecting import Collector
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart
from app.jobs.model import Job, JobStatus
from app.jobs.worker_files import WorkerExchange
from app.models import Dataset, DatasetRevision, Evaluation, ModelExport, PredictionRun, Training
from app.object_store.bucket import Bucket
from app.object_store.cache import HostCache
from app.services.exchange import remove_orphaned_folders
from scripts.local_server import settings_for
from tests.conftest import close_database
from tests.data import write_dataset

HASH = "a" * 64


@pytest.fixture
def elsewhere(idle_app: APIFlask, tmp_path: Path) -> Iterator[APIFlask]:
    """The same database on another host."""
    address = idle_app.config["SQLALCHEMY_DATABASE_URI"]
    changes = {"SOCKETIO_ASYNC_MODE": "threading", "DATABASE_URL": address}
    application = create_app("cli", settings_for(tmp_path / "elsewhere", **changes))
    yield application
    close_database(application)


@pytest.fixture
def jobs(idle_app: APIFlask) -> dict[str, int]:
    """A job of each kind that workers run, by its name, for a run with weights."""
    storage = idle_app.extensions["services"].storage
    with idle_app.app_context(), writing() as session:
        dataset = Dataset(name="Things", classes=["thing"], status="valid", path="datasets/1", revision=1)
        session.add(dataset)
        session.flush()
        revision = DatasetRevision(dataset_id=dataset.id, number=1, status="ready", hash=HASH, classes=["thing"])
        common = {"name": "Run", "dataset_id": dataset.id, "model_version": "n", "epochs": 3, "total_epochs": 3}
        training = Training(**common, status="running", attempt=1, revision=1, dataset_revision=HASH)
        session.add_all([revision, training])
        session.flush()
        write_dataset(storage.revision_dir(dataset.id, 1))
        weights = storage.training_dir(training.id) / "run" / "weights"
        weights.mkdir(parents=True)
        for name in ("best", "last"):
            torch_like(weights / f"{name}.pt")
        columns = {"training_id": training.id, "dataset_id": dataset.id, "revision": 1, "split": "val"}
        evaluation = Evaluation(**columns, checkpoint="best", img_size=64)
        export = ModelExport(
            training_id=training.id, key="k", format="onnx", arguments={"img_size": 64}, weights_sha256=""
        )
        options = {"confidence": 0.2, "iou": 0.7, "classes": None, "track": False}
        prediction = PredictionRun(
            training_id=training.id, source="images", filename="a.zip", input_bytes=3, options=options
        )
        session.add_all([evaluation, export, prediction])
        session.flush()
        sent = storage.prediction_dir(prediction.id) / "input"
        sent.parent.mkdir(parents=True)
        sent.write_bytes(b"zip")
        subject = {"subject_type": "training", "subject_id": training.id}
        rows = {
            "training": Job(kind="training", **subject),
            "evaluate": Job(
                kind="evaluate", params={"evaluation_id": evaluation.id, "token": evaluation.token}, **subject
            ),
            "export_model": Job(kind="export_model", params={"export_id": export.id}, **subject),
            "predict_images": Job(kind="predict_images", params={"prediction_id": prediction.id}),
        }
        session.add_all(rows.values())
        session.flush()
        export.job_id, prediction.job_id = rows["export_model"].id, rows["predict_images"].id
        return {name: row.id for name, row in rows.items()}


def torch_like(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", path.name)


def run(app: APIFlask, elsewhere: APIFlask, bucket: Bucket, job_id: int) -> tuple[dict[str, Any], Path]:
    """The program's spec on that host, and the data folder in its paths."""
    here, there = (application.extensions["services"] for application in (app, elsewhere))
    collector = Collector(lambda: bucket, here.storage.data_root, here.jobs.kinds, set, int, lambda _job: None)
    with app.app_context():
        collector.publisher.publish(job_id, 0)
    data = there.storage.data_root
    cache = HostCache(data / "cache", data, 0, 0, there.storage.revisions.correct_path)
    exchange = WorkerExchange(elsewhere, lambda: bucket, data, cache, int, lambda _job_id: None)
    with elsewhere.app_context():
        with writing() as session:
            job = session.get_one(Job, job_id)
            job.status, job.attempt = JobStatus.RUNNING, 1
        kind = there.jobs.kinds[job.kind]
        exchange.of_attempt(job, kind, AttemptRow(job_id, 1)).fetch()
        spec = dict(kind.spec(db.session.get_one(Job, job_id), data / "jobs" / "attempt"))
        db.session.remove()
    return spec, data


@pytest.mark.parametrize("name", ["training", "evaluate", "export_model", "predict_images"])
def test_a_remote_program_reads_the_paths_of_its_spec(
    idle_app: APIFlask, elsewhere: APIFlask, bucket: Bucket, jobs: dict[str, int], name: str
) -> None:
    spec, data = run(idle_app, elsewhere, bucket, jobs[name])
    paths = [Path(spec[key]) for key in ("data", "weights", "input") if spec.get(key)]
    assert paths
    for path in paths:
        assert path.is_relative_to(data)
        assert path.is_file()
    if "data" in spec:
        assert f"path: {Path(spec['data']).parent}\n" in Path(spec["data"]).read_text()


def test_files_behind_a_training_page_return_and_follow_a_resumed_run(idle_app: APIFlask, jobs: dict[str, int]) -> None:
    """Its configuration, the predictions after each epoch and those of its evaluation, too."""
    kinds = idle_app.extensions["services"].jobs.kinds
    with idle_app.app_context():
        job = db.session.get_one(Job, jobs["training"])
        files = kinds["training"].files(job)
        folder = f"models/{job.subject_id}"
        evaluate = db.session.get_one(Job, jobs["evaluate"])
        evaluate.params = evaluate.params | {"conclude": True}
        concluding = kinds["evaluate"].files(evaluate)
    outputs = {f"{folder}/{name}" for name in ("run", "checkpoints", "previews", "evaluation", "config.yaml")}
    assert outputs <= set(files.inputs)
    assert outputs | {f"{folder}/attempts/0", f"{folder}/about.json"} == set(files.outputs)
    assert {f"{folder}/run", f"{folder}/evaluation"} <= set(concluding.outputs) & set(concluding.inputs)


def test_leftovers_of_a_killed_process_on_a_host_are_removed(idle_app: APIFlask, tmp_path: Path) -> None:
    """Before the next job there, since an uploaded video may be large."""
    with idle_app.app_context():
        with writing() as session:
            running = Job(kind="predict_video", status="running", params={"prediction_id": 7})
            failed = Job(kind="evaluate", status="failed", subject_type="training", subject_id=4, params={})
            ended = Job(kind="evaluate", status="completed", subject_type="training", subject_id=4, params={})
            training = Job(kind="training", status="running", subject_type="training", subject_id=5, params={})
            session.add_all([running, failed, ended, training])
            session.flush()
            in_use = {f"jobs/{running.token}", f"jobs/{failed.token}", "predictions/7", "models/5"}
            abandoned = {f"jobs/{ended.token}", "jobs/unknown", "predictions/6", "models/4"}
        for name in in_use | abandoned:
            (tmp_path / "host" / name / "1").mkdir(parents=True)
        remove_orphaned_folders(tmp_path / "host")
    assert {path.relative_to(tmp_path / "host").as_posix() for path in tmp_path.glob("host/*/*")} == in_use


def test_a_dataset_from_before_versions_is_refused(
    idle_app: APIFlask, elsewhere: APIFlask, bucket: Bucket, jobs: dict[str, int]
) -> None:
    with idle_app.app_context(), writing() as session:
        session.query(Training).update({"revision": None})
    with pytest.raises(CannotStart, match="no version"):
        run(idle_app, elsewhere, bucket, jobs["training"])


def test_all_kinds_that_use_devices_declare_their_files(idle_app: APIFlask) -> None:
    """The others run beside the web process, which has no devices."""
    kinds = idle_app.extensions["services"].jobs.kinds
    rows = [kinds[name] for name in kinds.names() if kinds[name].use is not None and kinds[name].links is None]
    assert {kind.name for kind in rows} >= {"training", "evaluate", "export_model", "estimate", "predict_video"}
    assert [kind.name for kind in rows if kind.files is None] == []
    assert JobFiles().outputs == ()
