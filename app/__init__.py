"""The application factory. It wires and decides nothing; heavy imports stay inside it or in the child processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.config import ROOT, cors_origins, flask_config, load_settings

if TYPE_CHECKING:
    from apiflask import APIFlask  # not at import: children import this package too

    from app.services import Services

__version__ = "0.1.0"


def create_app(role: str = "web", overrides: dict[str, Any] | None = None) -> APIFlask:
    """The Flask application.

    Args:
        role: "web" serves pages and supervises trainings; "cli" has the same services and starts nothing.
        overrides: settings by name that win over the environment, for tests and tools.

    Raises:
        SettingError: a setting cannot be used; the message names it.
    """
    from apiflask import APIFlask
    from dotenv import dotenv_values

    from app import auth, database, downloads, hosts, i18n, logs, models, private_files, problems, sockets, web
    from app.limits import Waiting

    private_files.restrict()
    environ = {key: value for key, value in dotenv_values(ROOT / ".env").items() if value is not None} | os.environ
    config = flask_config(load_settings(environ | (overrides or {})))

    app = APIFlask(
        "app",
        title="YOLO Training Platform",
        version=__version__,
        spec_path="/api/openapi.json",
        docs_path=None,  # web.py: a page without inline scripts
        instance_path=config["INSTANCE_PATH"],
        static_folder=None,  # type: ignore[arg-type]  # web.py serves static files
    )
    app.config.update(config)
    logs.init_app(app)
    web.init_app(app)
    database.init_app(app)
    i18n.init_app(app)
    auth.init_app(app)
    problems.init_app(app)
    origins = cors_origins(config["SOCKETIO_CORS_ALLOWED_ORIGINS"])
    if origins:
        from flask_cors import CORS

        from app.services.uploads.protocol import HEADERS

        CORS(app, resources={r"/api/.*": {"origins": origins, "expose_headers": ["Location", *HEADERS]}})
    app.extensions["waiting"] = Waiting(config["SOCKETIO_ASYNC_MODE"])
    sockets.init_app(app, origins)
    downloads.init_app(app)
    hosts.init_app(app)  # last: around everything, the socket too
    register_services(app)
    register_routes(app)
    app.shell_context_processor(lambda: vars(models))
    if role == "cli":
        from app.cli import backup, installation

        app.cli.add_command(backup)
        app.cli.add_command(installation)
        database.set_up_migrations(app)
    else:
        database.upgrade_if_old(app)
        private_files.init_app(app)
        with app.app_context():
            app.extensions["installation"].begin(app, lambda: start_background(app))
    return app


def register_services(app: APIFlask) -> None:
    """One of each service, found through `app.services.services()`."""
    from app.jobs import JobService
    from app.jobs.environment import PASSED_ON
    from app.services import Services
    from app.services.backup import BackupService
    from app.services.datasets import DatasetService
    from app.services.datasets.exports import DatasetExports
    from app.services.estimate import EstimateService
    from app.services.infer import InferenceService
    from app.services.installation import InstallationService
    from app.services.revisions import RevisionHashes
    from app.services.storage import StorageService
    from app.services.system.database import watch as watch_queries
    from app.services.system.feed import SystemFeed
    from app.services.trainer import TrainingService
    from app.services.trainer.architectures import architectures
    from app.services.uploads import UploadService
    from app.services.weights import PretrainedWeights

    watch_queries(app)
    app.extensions["architecture_names"] = lambda: list(architectures())  # for the description
    PASSED_ON.more = app.config["CHILD_ENV"]
    storage = StorageService(app.config["DATA_ROOT"])
    jobs = JobService(Path(app.config["DATA_ROOT"]) / "jobs")
    trainer = TrainingService(storage, RevisionHashes(jobs))
    datasets = DatasetService(storage, jobs)
    estimates = EstimateService(storage, trainer)
    held = app.extensions["installation"] = InstallationService(storage)
    app.extensions["services"] = Services(
        storage=storage,
        installation=held,
        jobs=jobs,
        datasets=datasets,
        exports=DatasetExports(storage, datasets, jobs),
        trainer=trainer,
        inference=InferenceService(storage),
        estimates=estimates,
        backups=BackupService(storage),
        uploads=UploadService(storage, datasets),
        system=SystemFeed(trainer, estimates, jobs),
        weights=PretrainedWeights(app.config["WEIGHTS_DIR"], app.config["WEIGHTS_URL"]),
    )


def register_routes(app: APIFlask) -> None:
    """The blueprints of the specification and the Socket.IO handlers."""
    from app.routes import (
        dataset_contents,
        dataset_revisions,
        datasets,
        defaults,
        estimate,
        installation,
        jobs,
        live,
        parameters,
        system,
        tests,
        training_actions,
        training_bundle,
        training_events,
        training_files,
        training_views,
        trainings,
        ui,
        uploads,
    )

    training = (trainings, training_actions, training_files, training_views, training_events, training_bundle)
    dataset = (datasets, dataset_revisions, dataset_contents, uploads, defaults)
    for module in (ui, *dataset, *training, parameters, estimate, tests, jobs, system, installation):
        app.register_blueprint(module.blueprint)
    live.register()


def start_background(app: APIFlask) -> None:
    """What runs beside the requests: clean-up after a crash, and the supervisor of trainings and validations."""
    from app.extensions import socketio

    held = app.extensions["services"]
    with app.app_context():
        held.storage.clean_leftovers()
        held.jobs.start(app)
        held.datasets.reconcile()
        held.trainer.reconcile()
        held.uploads.reconcile()
    socketio.start_background_task(warm_up, app, held)


def warm_up(app: APIFlask, held: Services) -> None:
    """What the first use of the tables needs, after the first answer instead of before it (0.2 s); then the janitor."""
    from sqlalchemy.orm import configure_mappers

    from app.extensions import socketio
    from app.private_files import close_tree
    from app.services.storage.unpack import Pacer

    socketio.sleep(1.0)
    configure_mappers()
    close_tree(Path(app.config["DATA_ROOT"]), Pacer())
    from app.services.janitor import start_janitor

    start_janitor(app, held)
