"""Starts the server: `python run.py`, or any WSGI server with `run:app`."""

import gc
import os
import sys

gc.disable()  # next to nothing of what a start makes is garbage: looking for it takes a quarter of the start


def serve() -> None:
    """gunicorn in this process: the same server as in the container, without another interpreter's start.

    Nothing of the application is imported here; gunicorn's eventlet worker patches first, then imports `run:app`.
    """
    from dotenv import load_dotenv

    from app.config import ROOT, SettingError, load_settings

    load_dotenv(ROOT / ".env")
    try:
        config = load_settings()
    except SettingError as error:  # for a person to mend, not for a programmer
        sys.exit(str(error))
    os.environ["SOCKETIO_ASYNC_MODE"] = config.SOCKETIO_ASYNC_MODE  # gunicorn.conf.py reads it
    os.chdir(ROOT)
    from gunicorn.app.wsgiapp import WSGIApplication

    host = f"[{config.HOST}]" if ":" in config.HOST else config.HOST  # IPv6
    sys.argv = ["gunicorn", "--bind", f"{host}:{config.PORT}", "run:app"]
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    serve()
else:
    from app import create_app

    app = create_app()
    gc.freeze()  # it stays for good: later rounds need not walk through it either
    gc.enable()
