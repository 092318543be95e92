"""Defaults of gunicorn for `run:app`; its command line wins over them."""

import os
import signal
import warnings
from typing import Any

from dotenv import load_dotenv

load_dotenv()
# Known, and told in the README: the way on is SOCKETIO_ASYNC_MODE=threading.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
# Nothing here resolves names; eventlet's own resolver costs a quarter of a second at start, and 5 MB.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

worker_class = "gthread" if os.environ.get("SOCKETIO_ASYNC_MODE") == "threading" else "eventlet"
workers = 1  # Socket.IO rooms and the supervisor live in one process
threads = 100  # gthread: each open websocket holds one
graceful_timeout = 5  # with the default of 30, open websockets hold SIGTERM until Docker kills
timeout = 120
limit_request_field_size = 65536  # Upload-Metadata carries the dataset's form: class names may be many
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """From the first SIGTERM on, the queue starts nothing more."""
    before = signal.getsignal(signal.SIGTERM)

    def close_queue(number: int, frame: Any) -> None:
        app = worker.wsgi
        app.extensions["services"].trainer.close()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, close_queue)


def on_exit(server: Any) -> None:
    """In the master, when the workers are gone: trainings go on, or pause until the next start (ON_SHUTDOWN)."""
    from pathlib import Path

    from app.config import flask_config, load_settings
    from app.services.shutdown import stop_trainings

    settings = load_settings()
    if settings["ON_SHUTDOWN"] == "stop":
        left = stop_trainings(Path(flask_config(settings)["MODELS_DIR"]))
        server.log.info("trainings asked to pause; %s still end", left)
