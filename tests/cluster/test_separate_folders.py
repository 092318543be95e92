"""Workers without a shared volume with the web process: every kind of work completes on them, also if a host or the
store is unavailable.
"""

import hashlib
import io
import json
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import psutil
import pytest

from scripts.processes import kill_below
from tests.cluster.pair import until
from tests.cluster.separate import Platform, running_platform
from tests.data import image_bytes, yolo_zip, zip_bytes
from tests.videos import drawn_video

TINY = {"name": "Run", "model_version": "n", "batch_size": 4, "img_size": 64}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("separate")) as running:
        yield running


def newest(folder: Path) -> int:
    """The last epoch with a checkpoint in a training's folder; 0 for none."""
    return max((int(path.stem.partition("-")[2]) for path in folder.glob("checkpoints/epoch-*.pt")), default=0)


def trainer_pid(platform: Platform, number: int) -> int:
    """The process of a training."""
    runner = platform.rows(f"SELECT runner FROM job WHERE kind = 'training' AND subject_id = {number}")[0][0]
    pid: int = (json.loads(runner) if isinstance(runner, str) else runner)["pid"]
    return pid


@pytest.mark.training
@pytest.mark.timeout(900)  # on a loaded machine
def test_a_training_goes_on_on_another_host_without_a_shared_volume(platform: Platform) -> None:
    web, first = platform.web, platform.worker("one")
    answer = web.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": "A"})
    assert answer.status_code == 201, answer.text
    dataset_id = answer.json()["dataset_id"]
    until(lambda: web.get(f"/api/datasets/{dataset_id}").json()["status"] == "valid", 240, platform.about)

    training = web.post("/api/trainings", json=TINY | {"dataset_id": dataset_id, "epochs": 6}).json()
    path, number = f"/api/trainings/{training['training_id']}", training["training_id"]

    def epoch() -> int:
        current: int = web.get(path).json()["current_epoch"]
        return current

    until(lambda: epoch() >= 1, 400, platform.about)
    attempts = platform.folder / "one/data/workers" / first.name / "models" / str(number) / "attempts"
    # An epoch is reported before its checkpoint is saved: without waiting, it would be suspended with nothing to
    # publish.
    until(
        lambda: any("CheckpointSaved" in path.read_text() for path in attempts.glob("*/events.jsonl")),
        60,
        platform.about,
    )
    child = psutil.Process(trainer_pid(platform, number))
    child.suspend()  # it must not complete before it is lost
    here = platform.folder / "web" / "data" / "models" / str(number)
    until(lambda: newest(here) >= 1, 120, platform.about)
    until(lambda: web.get(f"{path}/csv-data").status_code == 200, 120, platform.about)
    assert (platform.folder / "one/data/datasets" / str(dataset_id) / "revisions/1/images").is_dir()

    platform.store.signal(signal.SIGSTOP)
    before = epoch()
    child.resume()
    until(lambda: epoch() > before, 120, platform.about)
    child.suspend()
    platform.store.signal(signal.SIGCONT)
    until(lambda: newest(here) > before, 120, platform.about)

    first.kill()  # everything on its host, with the training
    kill_below(platform.folder / "one" / "data")
    second = platform.worker("two")
    silent = "UPDATE worker SET heartbeat_at = heartbeat_at - interval '61 seconds' WHERE name = '%s'"
    platform.execute(silent % first.name)
    until(lambda: web.get(path).json()["status"] == "completed", 400, platform.about)

    job = web.get("/api/jobs", params={"kind": "training"}).json()["jobs"][0]
    assert job["status"] == "completed"
    assert f"attempt {job['attempt']}" in second.log()
    epochs = platform.rows("SELECT epoch FROM training_metric ORDER BY epoch")
    assert epochs == [(number_,) for number_ in range(1, 7)], "each counts once"
    weights = web.get(f"{path}/download")
    assert weights.status_code == 200
    assert weights.content == (here / "run/weights/best.pt").read_bytes()
    assert '"resumed"' in (here / "attempts" / str(job["attempt"]) / "events.jsonl").read_text()
    until(lambda: not platform.bucket.keys("jobs/"), 60, platform.about)
    remains = platform.folder / "two/data/workers" / second.name / "models" / str(number)
    until(lambda: not (remains / "run").exists(), 30, platform.about)

    # written after the terminal event: it may come with the worker's last files, after the others are removed
    def described() -> str:
        status: str = json.loads((here / "about.json").read_text())["row"]["status"]
        return status

    until(lambda: described() == "completed", 120, platform.about)


@pytest.mark.training
@pytest.mark.timeout(1800)  # on a loaded machine
def test_every_kind_of_work_ends_on_a_worker_with_separate_folders(platform: Platform, tmp_path: Path) -> None:
    web, worker = platform.web, platform.worker("three")
    dataset_id = imported(platform, "B")
    number = paused_and_resumed(platform, dataset_id)
    path = f"/api/trainings/{number}"

    estimate = TINY | {"dataset_id": dataset_id, "epochs": 5, "batch_size": 2}

    def measured() -> Any:
        answer = web.post("/api/trainings/estimate", json=estimate).json()
        assert answer["status"] in {"measuring", "ready"}, answer
        return answer.get("basis")

    assert until(measured, 400, platform.about) == "measured"  # alone, since it gives way to all others
    evaluation = web.post(f"{path}/evaluations", json={"split": "val"}).json()["evaluation_id"]
    export = web.post(f"{path}/exports", json={"format": "torchscript"}).json()["export_id"]
    images = predict(platform, number, "a.zip", zip_bytes({"1.jpg": image_bytes(), "b/2.jpg": image_bytes()}))
    video = predict(platform, number, "a.mp4", drawn_video(tmp_path / "a.mp4", [0.0, 0.1, 0.2]))
    completed(platform, f"/api/evaluations/{evaluation}")
    check_evaluation(platform, evaluation, dataset_id)
    completed(platform, f"/api/predictions/{images}")
    detections = json.loads(prediction_file(platform, images, "detections.json"))
    assert [item["image"] for item in detections["images"]] == ["1.jpg", "b/2.jpg"]
    with zipfile.ZipFile(io.BytesIO(prediction_file(platform, images, "labels.zip"))) as archive:
        assert archive.testzip() is None
    completed(platform, f"/api/predictions/{video}")
    (tmp_path / "made.mp4").write_bytes(prediction_file(platform, video, "video.mp4"))
    with av.open(str(tmp_path / "made.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3
    completed(platform, f"/api/exports/{export}")
    check_export(platform, export)
    until(lambda: not platform.bucket.keys("jobs/"), 60, platform.about)
    data = platform.folder / "three/data/workers" / worker.name
    folders = [data / name for name in ("predictions", "jobs", "tmp")]  # kept models are removed before the next job
    until(lambda: not [path for folder in folders for path in files_below(folder)], 30, platform.about)
    here = platform.folder / "web/data"
    assert not {"workers", "cache", "worker.json"} & {item.name for item in here.iterdir()}
    assert files_below(here / "jobs") == files_below(here / "tmp") == []
    check_texts(platform, number, evaluation, export)
    again = web.post(f"{path}/run-again", json={})
    assert again.status_code == 201, again.text
    assert web.post(f"/api/trainings/{again.json()['training_id']}/stop").status_code == 202


OUTAGE_S = 10.0  # a worker gives two signs of life meanwhile


@pytest.mark.training
@pytest.mark.timeout(1800)  # on a loaded machine
def test_a_store_outage_at_the_start_and_end_of_a_job_only_delays_it(platform: Platform) -> None:
    """At first it does not answer; the second time it is stopped, and returns empty."""
    web, dataset_id = platform.web, imported(platform, "C")
    end_workers(platform)
    worker = platform.worker("four")
    until(lambda: "Listening on" in worker.log(), 240, platform.about)
    worker.running.send_signal(signal.SIGSTOP)
    answer = web.post("/api/trainings", json=TINY | {"dataset_id": dataset_id, "epochs": 2}).json()
    path, number = f"/api/trainings/{answer['training_id']}", answer["training_id"]
    job = f"SELECT status, attempt, runner FROM job WHERE kind = 'training' AND subject_id = {number}"
    until(lambda: platform.rows(job.replace("status,", "delivered_to,"))[0][0], 120, platform.about)

    platform.store.signal(signal.SIGSTOP)
    worker.running.send_signal(signal.SIGCONT)
    until(lambda: platform.rows(job)[0][0] == "running", 120, platform.about)
    stays(lambda: platform.rows(job)[0][:2] == ("running", 1) and "pid" not in platform.rows(job)[0][2], platform)
    platform.store.signal(signal.SIGCONT)

    until(lambda: "pid" in platform.rows(job)[0][2], 240, platform.about)
    psutil.Process(trainer_pid(platform, number)).suspend()
    platform.store.stop()
    psutil.Process(trainer_pid(platform, number)).resume()
    events = platform.folder / "four/data/workers" / worker.name / "models" / str(number) / "attempts/1/events.jsonl"
    until(lambda: events.is_file() and '"type": "Completed"' in events.read_text(), 1200, platform.about)
    stays(lambda: platform.rows(job)[0][:2] == ("running", 1), platform)
    platform.store.start()
    until(lambda: web.get(path).json()["status"] == "completed", 240, platform.about)
    assert platform.rows(job)[0][:2] == ("completed", 1)
    assert web.get(f"{path}/download").status_code == 200
    assert len(web.get(f"{path}/metrics").json()["epochs"]) == 2


def stays(holds: Callable[[], bool], platform: Platform) -> None:
    """Checks that a condition holds for as long as the store is unavailable."""
    end = time.monotonic() + OUTAGE_S
    while time.monotonic() < end:
        assert holds(), platform.about()
        time.sleep(0.2)


def end_workers(platform: Platform) -> None:
    """The workers of earlier tests, so that no other one takes the job."""
    for worker in platform.workers:
        if worker.running.poll() is None:
            worker.end(120)


def imported(platform: Platform, name: str) -> int:
    web = platform.web
    answer = web.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": name})
    assert answer.status_code == 201, answer.text
    dataset_id: int = answer.json()["dataset_id"]
    until(lambda: web.get(f"/api/datasets/{dataset_id}").json()["status"] == "valid", 240, platform.about)
    return dataset_id


def paused_and_resumed(platform: Platform, dataset_id: int) -> int:
    """A training of three epochs that was paused after its first one, resumed, and completed."""
    web = platform.web
    number: int = web.post("/api/trainings", json=TINY | {"dataset_id": dataset_id, "epochs": 3}).json()["training_id"]
    path = f"/api/trainings/{number}"
    until(lambda: web.get(path).json()["current_epoch"] >= 1, 400, platform.about)
    child = psutil.Process(trainer_pid(platform, number))
    child.suspend()  # it must not complete before it receives the pause
    assert web.post(f"{path}/pause").status_code == 202
    child.resume()
    until(lambda: web.get(path).json()["status"] == "paused", 400, platform.about)
    assert web.post(f"{path}/resume").status_code == 202
    until(lambda: web.get(path).json()["status"] == "completed", 400, platform.about)
    here = platform.folder / "web/data/models" / str(number)
    assert '"resumed"' in (here / "attempts/2/events.jsonl").read_text()
    epochs = platform.rows(f"SELECT epoch FROM training_metric WHERE training_id = {number} ORDER BY epoch")
    assert epochs == [(1,), (2,), (3,)], "each counts once"
    pictures = [item["url"] for item in web.get(f"{path}/files").json()["files"]]
    previews = web.get(f"{path}/previews").json()
    assert previews["epochs"] == [1, 2, 3]
    evaluation = web.get(f"{path}/evaluation").json()
    urls = pictures + [item["url"] for item in [*previews["images"], *evaluation["pictures"]]]
    assert min(map(len, (pictures, previews["images"], evaluation["pictures"]))) > 0
    assert {web.get(url).status_code for url in [*urls, f"{path}/csv-data", f"{path}/verdict"]} == {200}
    assert web.get(f"{path}/checkpoints/last/download").status_code == 200
    return number


def predict(platform: Platform, number: int, name: str, content: bytes) -> int:
    form = {"training_id": str(number), "confidence": "0.01"}
    answer = platform.web.post("/api/predictions", files={"file": (name, content)}, data=form)
    assert answer.status_code == 202, answer.text
    prediction_id: int = answer.json()["prediction_id"]
    return prediction_id


def completed(platform: Platform, path: str) -> None:
    """As soon as it is completed, its files are available."""

    def ended() -> bool:
        row = platform.web.get(path).json()
        assert row["status"] in {"pending", "running", "completed"}, row
        return bool(row["status"] == "completed")

    until(ended, 1200, platform.about)  # on a machine with a load of 15, the verification of an export took 7 minutes


def prediction_file(platform: Platform, prediction_id: int, name: str) -> bytes:
    answer = platform.web.get(f"/api/predictions/{prediction_id}/files/{name}")
    assert answer.status_code == 200, answer.text
    content: bytes = answer.content
    return content


def check_evaluation(platform: Platform, evaluation_id: int, dataset_id: int) -> None:
    """Everything that a page shows of it exists; its images are the dataset's."""
    web, path = platform.web, f"/api/evaluations/{evaluation_id}"
    for part in ("matrix", "curves", "thresholds", "label-errors"):
        answer = web.get(f"{path}/{part}")
        assert answer.status_code == 200, (part, answer.text)
    listed = web.get(f"{path}/images").json()["images"]
    assert len(listed) == 2
    revision = platform.folder / f"web/data/datasets/{dataset_id}/revisions/1"
    for image in listed:
        assert web.get(image["url"]).content == (revision / image["file"]).read_bytes(), image
        assert web.get(image["thumbnail"]).status_code == 200
    assert web.get(f"/evaluations/{evaluation_id}").status_code == 200


def check_export(platform: Platform, export_id: int) -> None:
    """The downloadable files are those verified on the worker."""
    ((details,),) = platform.rows(f"SELECT details::json FROM model_export WHERE id = {export_id}")
    answer = platform.web.get(f"/api/exports/{export_id}/download")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        hashes = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
    assert set(details["sha256"].values()) <= hashes


def check_texts(platform: Platform, number: int, evaluation_id: int, export_id: int) -> None:
    """No text visible to users contains a worker's folder."""
    training = f"/api/trainings/{number}"
    paths = [training, f"{training}/log", f"{training}/log?attempt=1", f"{training}/events", f"{training}/evaluation"]
    paths += [f"/api/evaluations/{evaluation_id}", f"/api/exports/{export_id}", "/api/jobs", "/api/system"]
    paths += [f"/trainings/{number}", f"/evaluations/{evaluation_id}"]
    answers = {path: platform.web.get(path) for path in paths}
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    assert [path for path, answer in answers.items() if str(platform.folder) in answer.text] == []
    with zipfile.ZipFile(io.BytesIO(platform.web.get(f"{training}/bundle").content)) as archive:
        with_folder = [name for name in archive.namelist() if str(platform.folder).encode() in archive.read(name)]
    assert with_folder == []


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
