"""A server that is killed before and after each step of `POST /api/models`, and then receives the same request again:
`python -m tests.routes.killed_uploads FOLDER WEIGHTS` prints the responses as JSON.
"""

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from app import create_app
from app.database import upgrade_if_old, writing
from app.extensions import db
from app.models import Dataset
from app.services.uploaded_models import UploadedModels
from scripts.local_server import settings_for

STEPS = ("reserve", "install", "record", "notify")


def killing(step: Callable[..., Any], before: bool) -> Callable[..., Any]:
    """A step whose process is killed before it, or after it."""

    def killed(*arguments: Any) -> None:
        if not before:
            step(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed


def send(app: APIFlask, data: bytes, key: str) -> dict[str, Any]:
    form = {"file": (io.BytesIO(data), f"{key}.pt"), "dataset_id": "1"}
    options: dict[str, Any] = {"content_type": "multipart/form-data", "headers": {"Idempotency-Key": key}}
    answer = app.test_client().post("/api/models", data=form, **options)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def kill_in(app: APIFlask, data: bytes, step: str, before: bool) -> dict[str, Any]:
    """The response to the repeated request."""
    key = f"{'before' if before else 'behind'}-{step}"
    with app.app_context():
        db.engine.dispose()
    if not (child := os.fork()):
        setattr(UploadedModels, step, killing(getattr(UploadedModels, step), before))
        send(app, data, key)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    return send(app, data, key) | {"key": key}


def main(folder: Path, data: bytes) -> list[dict[str, Any]]:
    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    with app.app_context(), writing() as session:
        session.add(Dataset(name="things", status="valid", classes=["round", "square"], task="detect"))
    verdict: list[Any] = []  # the file is always the same, so one process checks it
    check_file = UploadedModels.check_file

    def checked(self: UploadedModels, weights: Path) -> dict[str, Any]:
        if not verdict:
            verdict.append(check_file(self, weights))
        return verdict[0]

    UploadedModels.check_file = checked  # type: ignore[method-assign]
    answers = [send(app, data, "first") | {"key": "first"}]
    answers += [kill_in(app, data, step, before) for step in STEPS for before in (True, False)]
    app.extensions["services"].close()
    return answers


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())))
