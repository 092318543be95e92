"""Starts one of several web processes (REDIS_URL). Each serves; one of them leads: it runs the queue and recovers what
was left behind. When it ends, another one takes over.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.config import settings
from app.extensions import socketio

if TYPE_CHECKING:
    from apiflask import APIFlask

    from app.services import Services

PICK_UP_S = 30.0  # between two checks for uploads of ended processes


def begin(app: APIFlask) -> None:
    """Migrate, examine and start, one process at a time."""
    from app import database, private_files
    from app.cluster.leadership import Leadership
    from app.cluster.locks import create_lock

    services, cluster = app.extensions["services"], app.extensions["cluster"]
    root = settings(app).DATA_ROOT
    lock = create_lock(app.config["SQLALCHEMY_DATABASE_URI"], root)
    leadership = Leadership(cluster, lock, root)
    with lock.starting():
        database.upgrade_if_old(app)
        private_files.init_app(app)
        leadership.acquire()
        with app.app_context():
            services.installation.begin(app, partial(start, app))
    socketio.start_background_task(cluster.bus.run)
    socketio.start_background_task(leadership.run, app, partial(take_over, services))


def start(app: APIFlask) -> None:
    """Start the background tasks."""
    from app import warm_up
    from app.routes import departures

    services = app.extensions["services"]
    with app.app_context():
        if services.jobs.cluster.leads:
            services.trainer.reconcile()
        services.jobs.scheduler.start(app)
        if services.jobs.cluster.leads:
            reconcile(services)
    socketio.start_background_task(warm_up, app, services)
    socketio.start_background_task(departures.watch, app)
    socketio.start_background_task(pick_up_uploads, app, services)


def take_over(services: Services) -> None:
    """Take over from the previous leader."""
    if services.installation.examine() is not None:
        return  # writes are not allowed now: `start` follows once they are
    if services.jobs.scheduler.runner is None:
        services.installation.start_work()
        return
    services.trainer.reconcile()
    services.jobs.scheduler.follow()
    reconcile(services)
    services.jobs.scheduler.wake()


def reconcile(services: Services) -> None:
    """After the jobs: reconcile rows, folders and uploads. Files in data/tmp may belong to another process; the janitor
    removes them after a day.
    """
    services.datasets.restart.reconcile()
    services.uploads.completion.reconcile()
    services.evaluations.reconcile()


def pick_up_uploads(app: APIFlask, services: Services) -> None:
    """Process completed files whose process ended before it created their datasets. The body of a background task."""
    while services.installation.is_open:
        socketio.sleep(PICK_UP_S)
        if services.jobs.cluster.leads and services.installation.verdict is None:
            with app.app_context():
                services.uploads.completion.reconcile()
