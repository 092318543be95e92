"""The services, and how a request finds them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.backup import BackupService
    from app.services.datasets import DatasetService
    from app.services.datasets.exports import DatasetExports
    from app.services.estimate import EstimateService
    from app.services.infer import InferenceService
    from app.services.installation import InstallationService
    from app.services.storage import StorageService
    from app.services.system.feed import SystemFeed
    from app.services.trainer import TrainingService
    from app.services.uploads import UploadService
    from app.services.weights import PretrainedWeights


@dataclass(frozen=True)
class Services:
    """One of each, made by the factory."""

    storage: "StorageService"
    installation: "InstallationService"
    jobs: "JobService"
    datasets: "DatasetService"
    exports: "DatasetExports"
    trainer: "TrainingService"
    inference: "InferenceService"
    estimates: "EstimateService"
    backups: "BackupService"
    uploads: "UploadService"
    system: "SystemFeed"
    weights: "PretrainedWeights"

    def close(self) -> None:
        """Start no background work any more. Called from a signal handler too: it takes no lock and wakes nobody."""
        self.trainer.close()
        self.jobs.close()


def services() -> Services:
    """The present application's services."""
    return current_app.extensions["services"]
