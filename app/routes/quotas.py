"""Refuses requests of people whose quota is used up. Resumable uploads: services/uploads."""

from apiflask import APIFlask
from flask import request

from app.access.principal import current_account_id
from app.services import services

NEW_DATASETS = {"datasets.create_dataset", "datasets.import_folder", "datasets.create_sample"}
NEW_MODELS = {
    *("trainings.create_training", "training_actions.clone", "training_bundle.run_again", "uploaded_models.add_model"),
    *("exports.export_model", "training_actions.extend"),
}


def init_app(app: APIFlask) -> None:
    """Check each request that creates a dataset or a model, before its body is read."""
    app.before_request(check)


def check() -> None:
    """Check a request's upload against the person's quota.

    Raises:
        TooLarge: the person's quota is used up.
    """
    quotas, sent = services().quotas, request.content_length or 0
    if request.endpoint in NEW_DATASETS:
        quotas.check_datasets(current_account_id(), sent)
    elif request.endpoint in NEW_MODELS:
        quotas.check_models(current_account_id(), sent)
