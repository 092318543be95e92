"""No query runs once per row: with one row and with fifty, each list and each page sends the same number of queries."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from apiflask import APIFlask
from sqlalchemy import event

from app.database import writing
from app.extensions import db
from app.jobs import Job
from app.models import (
    Checkpoint,
    Dataset,
    DatasetRevision,
    PredictionRun,
    Test,
    Training,
    TrainingEvent,
    TrainingMetric,
)
from tests.data import valid_dataset

PAGES = [
    "/",
    "/datasets",
    "/trainings",
    "/trainings/new",
    "/trainings/1",
    "/datasets/1",
    "/tests",
    "/system",
    "/compare",
]
LISTS = [
    "/api/trainings?per_page=100",
    "/api/trainings?per_page=100&sort=-map50&search=run&model=yolov8n&task=detect",
    "/api/trainings?per_page=100&status=pending",
    "/api/trainings?per_page=100&trash=true",
    "/api/trainings/queue",
    "/api/trainings/filters",
    "/api/trainings/compare?ids=1,2,3,4,5,6,7,8,9,10",
    "/api/trainings/1/metrics",
    "/api/trainings/1/checkpoints",
    "/api/trainings/1/events",
    "/api/datasets?per_page=100",
    "/api/datasets/1/revisions",
    "/api/datasets/1/training-defaults",
    "/api/tests?per_page=100",
    "/api/predictions?per_page=100",
    "/api/system",
]


@contextmanager
def statements(app: APIFlask) -> Iterator[list[str]]:
    """The queries within the block, without savepoints and BEGIN."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            sent.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def fill(app: APIFlask, count: int) -> None:
    """`count` rows of everything: half of the trainings wait for another one, some are in the trash."""
    with app.app_context(), writing() as session:
        for number in range(count):
            dataset = Dataset(name=f"set {number}", classes=["thing"], status="valid", train_images=8, total_images=8)
            dataset.revision, dataset.revisions = 1, [DatasetRevision(number=1, status="ready")]
            session.add(dataset)
            session.flush()
            completed = Training(
                name=f"run {number}", dataset_id=dataset.id, model_version="n", status="completed", current_epoch=3
            )
            waits = Training(name=f"run w{number}", dataset_id=dataset.id, model_version="n", status="pending")
            waits.waiting_for = {"code": "device", "training_id": 1}
            trashed = Training(name=f"run g{number}", dataset_id=dataset.id, model_version="n", status="failed")
            trashed.deleted_at = dataset.created_at
            completed.metrics = [TrainingMetric(epoch=epoch, map50=0.1 * epoch, classes=[{}]) for epoch in (1, 2, 3)]
            completed.checkpoints = [Checkpoint(epoch=3, model_path="run/weights/best.pt", is_best=True)]
            completed.tests = [Test(results=[], confidence_threshold=0.5, iou_threshold=0.5)]
            session.add_all([completed, waits, trashed])
            session.flush()
            job = Job(kind="predict_video", params={}, status="running")
            session.add(job)
            session.flush()
            values = {"training_id": completed.id, "source": "video", "filename": "a.mp4", "input_bytes": 1}
            session.add(PredictionRun(**values, options={}, job_id=job.id, status="pending"))
        first = session.get(Training, 1)
        first.dataset.revisions += [DatasetRevision(number=n + 2, status="ready") for n in range(count)]
        first.metrics += [TrainingMetric(epoch=epoch) for epoch in range(4, 4 + count)]
        first.checkpoints += [Checkpoint(epoch=4 + n, model_path=f"checkpoints/{n}.pt") for n in range(count)]
        first.happenings = [TrainingEvent(seq=n + 1, event="training_paused", payload={}) for n in range(count)]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, list[str]]]:
    """The queries of each address, by the number of rows."""
    from app import create_app
    from app.database import upgrade_if_old
    from scripts.local_server import settings_for

    statements_by_rows: dict[int, dict[str, list[str]]] = {}
    for rows in (1, 50):
        folder = tmp_path_factory.mktemp(f"rows{rows}")
        app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
        upgrade_if_old(app)
        valid_dataset(app)
        fill(app, rows)
        statements_by_rows[rows] = {}
        client = app.test_client()
        for path in PAGES + LISTS:
            client.get(path)  # warms up caches
            with statements(app) as sent:
                answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            statements_by_rows[rows][path] = list(sent)
    return statements_by_rows


@pytest.mark.parametrize("path", PAGES + LISTS)
def test_no_query_runs_once_per_row(counts: dict[int, dict[str, list[str]]], path: str) -> None:
    one, fifty = counts[1][path], counts[50][path]
    assert len(one) == len(fifty), "\n".join(fifty)
    if path.startswith("/api/"):
        assert one, "the test sees the queries"
