"""The platform's REST API and its live events: datasets, trainings and tests of one server."""

import json
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import requests
import socketio

from . import resumable
from .answers import (
    Acted,
    Dataset,
    Deleted,
    Evaluation,
    Event,
    ExportFormat,
    Job,
    ModelExport,
    Prediction,
    PredictionRun,
    Test,
    Training,
)
from .connection import ApiError, Connection, explained, new_key, unreachable

ENDINGS = {"training_completed", "training_error", "training_cancelled"}
EVENTS = ENDINGS | {"training_update", "training_progress", "training_status"}
ENDED = {"completed", "failed", "cancelled"}
SILENCE_S = 300  # a training without events for this long is given up

Work = TypeVar("Work", Evaluation, Job, ModelExport, PredictionRun)


class Client:
    """One server.

    Args:
        url: its address, such as http://127.0.0.1:5000.
        language: of its messages, as in Accept-Language.
        token: an access token. None: $YOLO_TOKEN, or the owner's on the server's own machine (login.py).
    """

    def __init__(self, url: str, language: str = "en", token: str | None = None) -> None:
        self.connection = Connection(url, language, token)
        self.url = self.connection.url

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any other request; see `Connection.request`."""
        return self.connection.request(method, path, **options)

    def upload(self, file: Path, name: str, state: Path | None = None, chunk: int = resumable.CHUNK) -> int:
        """Upload a ZIP; returns the new dataset's id. The server then validates it.

        Large files are sent in chunks, and resumed after an interruption.

        Args:
            state: a file that stores the position of this upload: the same call resumes there.

        Raises:
            ApiError: the server refused it or cannot be reached.
        """
        if self.resumes(file, state):
            return self.resume_upload(file, {"name": name}, "dataset_id", state, chunk)
        with open(file, "rb") as stream:
            files = {"file": (file.name, stream, "application/zip")}
            return self.request("POST", "/api/datasets", files=files, data={"name": name}).json()["dataset_id"]

    def resumes(self, file: Path, state: Path | None) -> bool:
        """Whether a file is sent in chunks."""
        return bool(state or file.stat().st_size >= resumable.FROM_BYTES) and resumable.possible(self.connection)

    def resume_upload(
        self, file: Path, fields: dict[str, str], id_field: str, state: Path | None, chunk: int = resumable.CHUNK
    ) -> int:
        """See `resumable.upload`.

        Raises:
            ApiError: the server refused it or cannot be reached.
        """
        try:
            return resumable.upload(self.connection, file, fields, id_field, state, chunk)
        except resumable.Refused as error:
            raise ApiError(explained(error.problem)) from error

    def dataset(self, dataset_id: int) -> Dataset:
        return self.request("GET", f"/api/datasets/{dataset_id}").json()

    def edit_dataset(self, dataset_id: int, **changes: str) -> Dataset:
        """Change name or description; returns the dataset."""
        return self.request("PATCH", f"/api/datasets/{dataset_id}", json=changes).json()

    def wait_until_valid(self, dataset_id: int, seconds: float = 600) -> Dataset:
        """Wait for the end of the validation.

        Raises:
            ApiError: the dataset is invalid, or the time has expired.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            dataset = self.dataset(dataset_id)
            if dataset["status"] == "valid":
                return dataset
            if dataset["status"] == "invalid":
                raise ApiError(f"The dataset is invalid: {dataset.get('error')}")
            time.sleep(0.2)
        raise ApiError(f"The dataset check did not finish within {seconds:.0f} s.")

    def train(self, **payload: Any) -> int:
        """Queue a training; returns its id."""
        return self.request("POST", "/api/trainings", json=payload, headers=new_key()).json()["training_id"]

    def act(self, action: str, training_id: int, **body: Any) -> Acted:
        """Carry out an action: stop, pause, resume, retry, extend (epochs, schedule), clone, restore; returns the
        response.
        """
        path = f"/api/trainings/{training_id}/{action}"
        return self.request("POST", path, json=body, headers=new_key()).json()

    def edit(self, training_id: int, **changes: Any) -> Training:
        """Change name, priority, start_not_before or important; returns the training."""
        return self.request("PATCH", f"/api/trainings/{training_id}", json=changes).json()

    def delete(self, training_id: int, permanent: bool = False) -> Deleted:
        """Move a training to the trash, or delete one permanently that is there."""
        query = {"permanent": "true"} if permanent else {}
        return self.request("DELETE", f"/api/trainings/{training_id}", params=query).json()

    def queue(self, order: list[int] | None = None) -> list[Training]:
        """The pending trainings, after those of `order` were put into that order."""
        address = "/api/trainings/queue"
        answer = self.request("PUT", address, json={"order": order}) if order else self.request("GET", address)
        return answer.json()["queue"]

    def training(self, training_id: int) -> Training:
        return self.request("GET", f"/api/trainings/{training_id}").json()

    def watch(self, training_id: int) -> Iterator[tuple[str, Event]]:
        """Events of a training as (name, data): a `training_snapshot` first and after each reconnect; ends with the
        training.

        Raises:
            ApiError: the server refuses the connection, cannot be reached, or sent no event for SILENCE_S.
        """
        self.training(training_id)  # a refused socket does not give the reason: this request does
        events: queue.Queue[tuple[str, Event]] = queue.Queue()
        live = socketio.Client()

        def join() -> None:  # on each connection, since rooms end with the connection
            payload = {"training_id": training_id}
            live.emit("join_training", payload, callback=lambda answer: events.put(("training_snapshot", answer)))

        live.on("connect", join)
        for name in EVENTS:
            live.on(name, lambda data, name=name: events.put((name, data)))
        try:
            live.connect(self.url, transports=["websocket"], headers=self.connection.headers(), wait_timeout=30)
        except socketio.exceptions.ConnectionError as error:
            raise ApiError(f"No live connection (WebSocket). {unreachable(self.url, error)}") from error
        try:
            yield from new_events(events)
        finally:
            live.disconnect()

    def test(self, training_id: int, image: Path, confidence: float = 0.5, iou: float = 0.5) -> Test:
        """What the trained model detects in an image; it is stored."""
        with open(image, "rb") as stream:
            form = {"training_id": training_id, "confidence": confidence, "iou": iou}
            return self.request("POST", "/api/tests", files={"file": (image.name, stream)}, data=form).json()

    def predict(self, training_id: int, image: Path, **options: Any) -> Prediction:
        """What the trained model detects in an image, with thresholds of its own; nothing is stored.

        Args:
            options: confidence, iou, classes ({name: confidence}), format ("yolo": adds `labels`).
        """
        form = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in options.items()}
        with open(image, "rb") as stream:
            path = f"/api/models/{training_id}/predict"
            return self.request("POST", path, files={"file": (image.name, stream)}, data=form).json()

    def predict_video(self, training_id: int, video: Path, state: Path | None = None, **options: Any) -> int:
        """Queue a video for the trained model; returns the prediction's id. A large one is sent in chunks, as by
        `upload`.

        Args:
            state: see `upload`.
            options: confidence, iou, classes ({name: confidence}), checkpoint, track (False: no ids of objects).
        """
        return self.queue_prediction([video], "file", {"training_id": training_id} | options, state)

    def predict_images(
        self, training_id: int, images: Sequence[Path], state: Path | None = None, **options: Any
    ) -> int:
        """Queue images, or one ZIP of them, for the trained model; returns the prediction's id. See `predict_video`.

        Args:
            options: confidence, iou, classes ({name: confidence}), checkpoint.
        """
        return self.queue_prediction(images, "files", {"training_id": training_id} | options, state)

    def queue_prediction(
        self, files: Sequence[Path], field: str, options: Mapping[str, object], state: Path | None
    ) -> int:
        form = {name: json.dumps(value) if isinstance(value, dict) else str(value) for name, value in options.items()}
        alone = len(files) == 1 and (field == "file" or files[0].suffix.lower() == ".zip")
        if alone and self.resumes(files[0], state):
            return self.resume_upload(files[0], {"purpose": "prediction"} | form, "prediction_id", state)
        with ExitStack() as opened:
            parts = [(field, (file.name, opened.enter_context(file.open("rb")))) for file in files]
            answer = self.request("POST", "/api/predictions", files=parts, data=form, headers=new_key())
            return answer.json()["prediction_id"]

    def prediction(self, prediction_id: int) -> PredictionRun:
        return self.request("GET", f"/api/predictions/{prediction_id}").json()

    def wait_for_prediction(self, prediction_id: int, seconds: float = 12 * 3600) -> PredictionRun:
        """Wait until a prediction's files are available; returns it.

        Raises:
            ApiError: it failed or was stopped, or the time has expired.
        """
        return completed(f"Prediction {prediction_id}", lambda: self.prediction(prediction_id), seconds)

    def evaluate(self, training_id: int, split: str, **options: Any) -> int:
        """Queue an evaluation of a run's weights; returns its id. Options: dataset_id, revision, checkpoint, img_size,
        classes.
        """
        path, body = f"/api/trainings/{training_id}/evaluations", {"split": split} | options
        return self.request("POST", path, json=body, headers=new_key()).json()["evaluation_id"]

    def evaluation(self, evaluation_id: int) -> Evaluation:
        return self.request("GET", f"/api/evaluations/{evaluation_id}").json()

    def evaluations(self, training_id: int) -> list[Evaluation]:
        """The evaluations of a run, newest first."""
        return self.request("GET", f"/api/trainings/{training_id}/evaluations").json()["evaluations"]

    def wait_for_evaluation(self, evaluation_id: int, seconds: float = 3600) -> Evaluation:
        """Wait until an evaluation is completed; returns it.

        Raises:
            ApiError: it failed or was stopped, or the time has expired.
        """
        return completed(f"Evaluation {evaluation_id}", lambda: self.evaluation(evaluation_id), seconds)

    def export_formats(self) -> list[ExportFormat]:
        """The formats that a model can be exported to, and why some are not available."""
        return self.request("GET", "/api/export-formats").json()["formats"]

    def export_model(self, training_id: int, form: str, **options: Any) -> int:
        """Export a run's best weights and verify them; returns the export's id. Options: img_size, half, int8, dynamic,
        nms, batch, opset.
        """
        path, body = f"/api/trainings/{training_id}/exports", {"format": form} | options
        return self.request("POST", path, json=body).json()["export_id"]

    def model_export(self, export_id: int) -> ModelExport:
        return self.request("GET", f"/api/exports/{export_id}").json()

    def model_exports(self, training_id: int) -> list[ModelExport]:
        """The exports of a run, newest first."""
        return self.request("GET", f"/api/trainings/{training_id}/exports").json()["exports"]

    def wait_for_model_export(self, export_id: int, seconds: float = 7200) -> ModelExport:
        """Wait until an export is verified; returns it.

        Raises:
            ApiError: it is less accurate than the weights, failed or was stopped, or the time has expired.
        """
        return completed(f"Export {export_id}", lambda: self.model_export(export_id), seconds)

    def job(self, job_id: int) -> Job:
        return self.request("GET", f"/api/jobs/{job_id}").json()

    def wait_for_job(self, job_id: int, seconds: float = 3600) -> Job:
        """Wait until a background job has completed; returns it.

        Raises:
            ApiError: it failed or was stopped, or the time has expired.
        """
        return completed(f"Job {job_id}", lambda: self.job(job_id), seconds)

    def export(self, path: str, target: Path) -> Path:
        """Save an export, which the server may first have to create."""
        answer = self.request("GET", path, stream=True)
        if answer.status_code == 202:
            self.wait_for_job(answer.json()["job_id"])
        answer.close()
        return self.download(path, target)

    def download(self, path: str, target: Path) -> Path:
        """Save the file at a path of the server.

        Raises:
            ApiError: the server refused it, or the connection broke and the file is incomplete.
        """
        with self.request("GET", path, stream=True) as response, open(target, "wb") as file:
            try:
                for block in response.iter_content(1 << 20):
                    file.write(block)
            except requests.RequestException as error:
                raise ApiError(f"{unreachable(self.url, error)} {target} is incomplete.") from error
        return target


def completed(name: str, ask: Callable[[], Work], seconds: float) -> Work:
    """The response of `ask` once its status is completed.

    Raises:
        ApiError: it failed or was stopped, or the time has expired.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer["status"] == "completed":
            return answer
        if answer["status"] in ENDED:
            raise ApiError(f"{name} is {answer['status']}: {(answer['error'] or {}).get('message', '')}")
        time.sleep(0.2)
    raise ApiError(f"{name} was not done within {seconds:.0f} s.")


def new_events(events: "queue.Queue[tuple[str, Event]]") -> Iterator[tuple[str, Event]]:
    """The received events, without those included in the snapshot, until the training has ended."""
    last_seq = -1
    while True:
        try:
            event, data = events.get(timeout=SILENCE_S)
        except queue.Empty:
            raise ApiError(f"No event of the run for {SILENCE_S} s.") from None
        if event == "training_snapshot":
            if not data.get("ok"):
                raise ApiError(data.get("error") or "The server refused access to the run.")
            last_seq = data["seq"]
        elif data.get("seq", last_seq + 1) <= last_seq:
            continue
        yield event, data
        if event in ENDINGS or (event == "training_snapshot" and data["training"]["status"] in ENDED):
            return
