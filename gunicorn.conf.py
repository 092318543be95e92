"""Defaults of gunicorn for `run:app`; its command line wins over them."""

import os
import warnings

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
control_socket_disable = True
