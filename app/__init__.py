"""The application factory. It wires and decides nothing; heavy imports stay in the services that need them or in the
child processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.config import ROOT, flask_config, load_settings, settings
from app.core.setting_values import cors_origins

if TYPE_CHECKING:
    from apiflask import APIFlask  # not at import: children import this package too

    from app.services import Services

__version__ = "0.1.0"


def create_app(role: str = "web", overrides: Mapping[str, str] | None = None) -> APIFlask:
    """The Flask application.

    Args:
        role: "web" serves pages and supervises trainings; "cli" has the same services and starts nothing, nor does
            "worker", the role of scripts/worker.py.
        overrides: settings by name that override the environment, for tests and tools.

    Raises:
        SettingError: a setting is invalid; the message names it.
    """
    from apiflask import APIFlask
    from dotenv import dotenv_values

    from app import (
        database,
        downloads,
        hosts,
        i18n,
        logs,
        models,
        private_files,
        problems,
        proxies,
        rates,
        sockets,
        web,
    )
    from app.access import door, oidc, private
    from app.jobs.model import Job
    from app.limits import Waiting
    from app.routes.permissions import NAMED, RULES, WHERE_PRIVATE

    private_files.restrict()
    environ = {key: value for key, value in dotenv_values(ROOT / ".env").items() if value is not None} | os.environ
    config = load_settings({**environ, **(overrides or {})})

    app = APIFlask(
        "app",
        title="YOLO Training Platform",
        version=__version__,
        spec_path="/api/openapi.json",
        docs_path=None,  # see web.py: its page has no inline scripts
        instance_path=str(config.INSTANCE_PATH),
        static_folder=None,  # type: ignore[arg-type]  # web.py serves static files
    )
    app.extensions["settings"] = config
    app.config.update(flask_config(config))
    app.jinja_env.globals["settings"] = settings
    logs.init_app(app)
    door.init_app(app, RULES, WHERE_PRIVATE, NAMED)  # before a body is read
    web.init_app(app)
    database.init_app(app)
    i18n.init_app(app)
    rates.init_app(app)
    private.init_app(app, Job)
    oidc.init_app(app)
    problems.init_app(app)
    origins = cors_origins(config.SOCKETIO_CORS_ALLOWED_ORIGINS)
    if origins:
        from flask_cors import CORS

        from app.services.uploads.protocol import HEADERS

        CORS(app, resources={r"/api/.*": {"origins": origins, "expose_headers": ["Location", "Retry-After", *HEADERS]}})
    app.extensions["waiting"] = Waiting(config.SOCKETIO_ASYNC_MODE)
    sockets.init_app(app, origins)
    downloads.init_app(app)
    hosts.init_app(app)  # wraps everything, the socket too
    proxies.init_app(app)  # last, hence outermost: it sets the host that the others check
    register_services(app)
    if config.STORAGE_URL:
        from app.services.exchange import configure_exchange

        configure_exchange(app, app.extensions["services"], role == "worker")
    register_routes(app)
    app.shell_context_processor(lambda: vars(models))
    if role == "cli":
        from app.cli import access, backup, installation

        app.cli.add_command(access)
        app.cli.add_command(backup)
        app.cli.add_command(installation)
        database.set_up_migrations(app)
    elif role == "worker":
        app.extensions["write_guard"] = app.extensions["installation"].refuse
    elif app.extensions["cluster"].on:
        from app import leading

        leading.begin(app)
        with app.app_context():
            app.extensions["services"].accounts.owner_login.announce(config)
    else:
        database.upgrade_if_old(app)
        private_files.init_app(app)
        with app.app_context():
            app.extensions["installation"].begin(app, lambda: start_background(app))
            app.extensions["services"].accounts.owner_login.announce(config)
    return app


def register_services(app: APIFlask) -> None:
    """Create each service once; `app.services.services()` returns them."""
    from app.cluster import Cluster
    from app.jobs import JobService
    from app.jobs.environment import PASSED_ON
    from app.services import Services
    from app.services.accounts import create_account_service
    from app.services.audit import AuditLog
    from app.services.backup import BackupService
    from app.services.datasets import create_dataset_service
    from app.services.datasets.exports import DatasetExports
    from app.services.estimate import EstimateService
    from app.services.evaluations import EvaluationService
    from app.services.exports import ModelExports
    from app.services.infer import create_inference_service
    from app.services.installation import InstallationService
    from app.services.predictions import Predictions
    from app.services.readiness import Readiness
    from app.services.revisions import RevisionHashes
    from app.services.storage import StorageService
    from app.services.system.database import watch as watch_queries
    from app.services.system.feed import SystemFeed
    from app.services.trainer import create_training_service
    from app.services.trainer.architectures import architectures
    from app.services.uploaded_models import UploadedModels
    from app.services.uploads import UploadService
    from app.services.weights import PretrainedWeights

    app.extensions["architecture_names"] = lambda: list(architectures())  # for the API description
    PASSED_ON.more = settings(app).CHILD_ENV
    storage = StorageService(settings(app).DATA_ROOT)
    cluster = app.extensions["cluster"] = Cluster(settings(app).REDIS_URL, settings(app).DISPATCH == "rq")
    cluster.bus.on("sharing", lambda _: app.extensions.pop("audiences", None))
    jobs = JobService(settings(app).DATA_ROOT / "jobs", cluster, shared=not settings(app).STORAGE_URL)
    app.extensions["closed"] = lambda: jobs.scheduler.closed  # see database.stop_if_closed
    backups, limited = BackupService(storage), bool(settings(app).TRAINING_MEMORY_LIMIT)
    trainer = create_training_service(storage, RevisionHashes(jobs), jobs, backups, limited)
    datasets = create_dataset_service(storage, jobs)
    estimates = EstimateService(jobs, storage)
    model_exports = ModelExports(storage, jobs, trainer.ended)
    inference = create_inference_service(storage, trainer, jobs, model_exports)
    predictions = Predictions(storage, jobs, inference)
    uploads = UploadService(storage, datasets.creation, predictions, cluster.on)
    installation = app.extensions["installation"] = InstallationService(storage, cluster)
    app.extensions["services"] = Services(
        storage=storage,
        installation=installation,
        readiness=Readiness(installation),
        jobs=jobs,
        datasets=datasets,
        exports=DatasetExports(datasets.store, jobs),
        model_exports=model_exports,
        trainer=trainer,
        inference=inference,
        predictions=predictions,
        estimates=estimates,
        evaluations=EvaluationService(storage, trainer, datasets, jobs, limited),
        backups=backups,
        uploads=uploads,
        quotas=uploads.quotas,
        uploaded_models=UploadedModels(trainer.store, trainer.feed),
        system=SystemFeed(trainer, jobs, watch_queries(app)),
        weights=PretrainedWeights(settings(app).WEIGHTS_DIR, settings(app).WEIGHTS_URL),
        audit=AuditLog(settings(app).LOG_DIR, settings(app).AUDIT_SIZE, settings(app).AUDIT_DAYS),
        accounts=create_account_service(),
    )


def register_routes(app: APIFlask) -> None:
    """The blueprints of the specification and the Socket.IO handlers."""
    from app.routes import (
        accounts,
        audit,
        dataset_contents,
        dataset_revisions,
        datasets,
        defaults,
        estimate,
        evaluations,
        exports,
        installation,
        jobs,
        live,
        oidc,
        parameters,
        prediction_runs,
        predictions,
        quotas,
        system,
        tests,
        training_actions,
        training_bundle,
        training_events,
        training_files,
        training_views,
        trainings,
        ui,
        uploaded_models,
        uploads,
    )

    training = (trainings, training_actions, training_files, training_views, training_events, training_bundle)
    dataset = (datasets, dataset_revisions, dataset_contents, uploads, defaults)
    model = (evaluations, exports, uploaded_models, predictions, prediction_runs)
    machine = (jobs, system, installation, accounts, oidc, audit)
    for module in (ui, *dataset, *training, *model, parameters, estimate, tests, *machine):
        app.register_blueprint(module.blueprint)
    audit.register(app)
    quotas.init_app(app)
    live.register()


def start_background(app: APIFlask) -> None:
    """Start background tasks: clean-up after a crash, the scheduler of jobs, and the janitor."""
    from app.extensions import socketio
    from app.routes import departures

    services = app.extensions["services"]
    with app.app_context():
        services.trainer.reconcile()
        # First, since it kills leftover children of requests, which write to data/tmp.
        services.jobs.scheduler.start(app)
        services.storage.clean_leftovers()
        services.datasets.restart.reconcile()
        services.uploads.completion.reconcile()
        services.evaluations.reconcile()
    socketio.start_background_task(warm_up, app, services)
    socketio.start_background_task(departures.watch, app)


def warm_up(app: APIFlask, services: Services) -> None:
    """Initialize the mappers after the first response rather than before it (0.2 s); then start the janitor."""
    from sqlalchemy.orm import configure_mappers

    from app.extensions import socketio
    from app.private_files import close_tree
    from app.services.storage.unpack import Pacer

    socketio.sleep(1.0)
    configure_mappers()
    close_tree(settings(app).DATA_ROOT, Pacer())
    from app.services.janitor import start_janitor

    start_janitor(app, services)
