"""Defaults of gunicorn for `run:app`; its command line wins over them."""

import gc
import os
import signal
import warnings
from typing import Any

from dotenv import load_dotenv

from app import guard
from app.deadlines import HEAD_S

load_dotenv()
os.umask(0o077)  # database, data and logs are nobody else's; see app/private_files.py
# Known, and told in the README: the way on is SOCKETIO_ASYNC_MODE=threading.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
# Nothing here resolves names; eventlet's own resolver costs a quarter of a second at start, and 5 MB.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

worker_class = "gthread" if os.environ.get("SOCKETIO_ASYNC_MODE") == "threading" else "eventlet"
workers = 1  # Socket.IO rooms and the supervisor live in one process
# gthread: each open websocket and each request that waits holds one; app/limits.py leaves some for short requests.
threads = 1000
worker_connections = 4000
# How long a connection may be silent, also before its first request. A browser on a busy machine gets to a connection
# seconds after it was made: with gunicorn's 2 s it found each one closed, and gave styles and scripts up after three.
# An idle one holds no thread, and with nginx in between there is none. eventlet: also the deadline of a head.
keepalive = int(HEAD_S)
graceful_timeout = 5  # with the default of 30, open websockets hold SIGTERM until Docker kills
timeout = 120
limit_request_line = 8190  # a folder of the server, in letters of four bytes each
limit_request_field_size = 65536  # Upload-Metadata carries the dataset's form: class names may be many
control_socket_disable = True
forwarder_headers = ""  # SCRIPT_NAME and PATH_INFO are no headers: a client would choose what its address means
# Who may say that a request came by HTTPS is the application's to know (TRUSTED_PROXIES). By itself gunicorn believes
# every program of this machine, and refuses two headers that contradict each other.
secure_scheme_headers: dict[str, str] = {}
forwarded_allow_ips = ""
guard.raise_file_limit()


def pre_request(worker: Any, request: Any) -> None:
    """The head of a request is here."""
    if guard.has_threads(worker):
        guard.head_is_here(request)


def post_request(worker: Any, request: Any, _environ: Any, _response: Any) -> None:
    """A request was answered."""
    if guard.has_threads(worker):
        guard.answered(request)


def post_worker_init(worker: Any) -> None:
    """Connections get their deadlines. From the first SIGTERM on, the queue starts nothing more. A terminal sends its
    Ctrl-C to us as well; the master asks for our end."""
    guard.watch(worker)
    before = signal.getsignal(signal.SIGTERM)

    def close_queue(number: int, frame: Any) -> None:
        app = worker.wsgi
        app.extensions["services"].close()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, close_queue)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # SIG_IGN would be inherited by jobs


def on_starting(server: Any) -> None:
    """Before the master starts its workers."""
    gc.freeze()  # what they share with it stays shared: no round writes into it
    gc.enable()  # run.py has disabled it
    guard.end_in_time(server)


def on_exit(server: Any) -> None:
    """In the master, when the workers are gone: jobs go on, or pause until the next start (ON_SHUTDOWN), and the
    database is one file."""
    from app.config import load_settings
    from app.shutdown import children, finish

    config = load_settings()
    killed = finish(config, guard.seconds_to_pause)
    if killed:
        server.log.warning("%d trainings and jobs did not pause in time and were killed", killed)
    elif not config.REDIS_URL and (count := len(list(children(config.DATA_ROOT)))):
        text = "Trainings and jobs that continue without the server: %d. Its next start follows them (ON_SHUTDOWN=%s)"
        server.log.info(text, count, config.ON_SHUTDOWN)
