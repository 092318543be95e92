"""Starts the server: `python run.py`, or any WSGI server with `run:app`."""

import os
import sys


def serve() -> None:
    """gunicorn in this process: the same server as in the container, without another interpreter's start.

    Nothing of the application is imported here; gunicorn's eventlet worker patches first, then imports `run:app`.
    """
    from dotenv import load_dotenv

    from app.config import ROOT, load_settings

    load_dotenv(ROOT / ".env")
    settings = load_settings()
    os.environ["SOCKETIO_ASYNC_MODE"] = settings["SOCKETIO_ASYNC_MODE"]  # gunicorn.conf.py reads it
    os.chdir(ROOT)
    from gunicorn.app.wsgiapp import WSGIApplication

    host = f"[{settings['HOST']}]" if ":" in settings["HOST"] else settings["HOST"]  # IPv6
    sys.argv = ["gunicorn", "--bind", f"{host}:{settings['PORT']}", "run:app"]
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    serve()
else:
    from app import create_app

    app = create_app()
