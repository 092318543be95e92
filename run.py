"""Starts the server: `python run.py`, or any WSGI server with `run:app`."""

import os
import sys

if __name__ == "__main__":
    from dotenv import load_dotenv

    from app.config import ROOT, load_settings

    load_dotenv(ROOT / ".env")
    settings = load_settings()
    os.environ["SOCKETIO_ASYNC_MODE"] = settings["SOCKETIO_ASYNC_MODE"]  # gunicorn.conf.py reads it
    os.chdir(ROOT)
    # gunicorn in this process's place: the same server as in the container, patched before anything is imported.
    bind = f"{settings['HOST']}:{settings['PORT']}"
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "--bind", bind, "run:app"])  # noqa: S606

from app import create_app

app = create_app()
