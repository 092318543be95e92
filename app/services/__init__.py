"""The services of an application; `services()` returns them within its context."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.accounts import AccountService
    from app.services.audit import AuditLog
    from app.services.backup import BackupService
    from app.services.datasets import DatasetService
    from app.services.datasets.exports import DatasetExports
    from app.services.estimate import EstimateService
    from app.services.evaluations import EvaluationService
    from app.services.exports import ModelExports
    from app.services.infer import InferenceService
    from app.services.installation import InstallationService
    from app.services.predictions import Predictions
    from app.services.quotas import Quotas
    from app.services.readiness import Readiness
    from app.services.storage import StorageService
    from app.services.system.feed import SystemFeed
    from app.services.trainer import TrainingService
    from app.services.uploaded_models import UploadedModels
    from app.services.uploads import UploadService
    from app.services.weights import PretrainedWeights


@dataclass(frozen=True)
class Services:
    """The services of one application, created by its factory."""

    storage: "StorageService"
    installation: "InstallationService"
    readiness: "Readiness"
    jobs: "JobService"
    datasets: "DatasetService"
    exports: "DatasetExports"
    model_exports: "ModelExports"
    trainer: "TrainingService"
    inference: "InferenceService"
    predictions: "Predictions"
    estimates: "EstimateService"
    evaluations: "EvaluationService"
    backups: "BackupService"
    uploads: "UploadService"
    uploaded_models: "UploadedModels"
    system: "SystemFeed"
    weights: "PretrainedWeights"
    accounts: "AccountService"
    audit: "AuditLog"
    quotas: "Quotas"

    def close(self) -> None:
        """Stop all background work. Called from a signal handler too, so it acquires no lock."""
        self.jobs.scheduler.close()
        self.jobs.cluster.close()
        self.installation.close()


def services() -> Services:
    """The services of the current application."""
    return current_app.extensions["services"]
