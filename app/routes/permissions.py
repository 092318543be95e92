"""The role that each route and each socket event requires. Endpoints that are not listed are for admins, and fail a
test.
"""

from typing import Any

from app.access.door import PUBLIC, OwnerRule, Rule
from app.core.roles import Role
from app.errors import NotFound
from app.jobs.model import Job
from app.models import Dataset, Evaluation, ModelExport, PredictionRun, Test, Training
from app.models.base import Model
from app.services import services
from app.services.uploads.state import Upload, upload_not_there


class UploadOwnerRule(OwnerRule):
    """Uploads are files on the disk, not rows."""

    def find(self, value: Any) -> Upload | None:
        try:
            return services().uploads.store.find(value)
        except NotFound:
            return None

    def not_there(self, value: Any) -> str:
        return upload_not_there(value)


VIEWER, TRAINER, ADMIN = Role.VIEWER, Role.TRAINER, Role.ADMIN
DATASET, TRAINING = OwnerRule(Dataset, "dataset_id"), OwnerRule(Training, "training_id")


def each(rule: Rule, blueprint: str, *views: str) -> dict[str, Rule]:
    """The same rule for several endpoints of a blueprint; without a blueprint name, for endpoints without one."""
    return {f"{blueprint}.{view}" if blueprint else view: rule for view in views}


RULES: dict[str, Rule] = {
    **each(PUBLIC, "", "static", "i18n_catalogue"),
    **each(PUBLIC, "system", "health", "ready"),
    **each(PUBLIC, "ui", "language", "source"),
    **each(PUBLIC, "accounts", "login", "log_in", "log_out", "check_invitation"),
    **each(PUBLIC, "oidc", "begin", "finish", "end_by_provider"),
    **each(VIEWER, "oidc", "begin_link", "unlink"),
    **each(ADMIN, "oidc", "remove_link"),
    **each(PUBLIC, "uploads", "capabilities"),
    **each(VIEWER, "", "docs", "openapi.spec"),
    **each(VIEWER, "ui", "index", "datasets", "dataset", "trainings", "training", "evaluation", "compare"),
    **each(VIEWER, "ui", "system", "tests", "help_page", "training_new"),
    **each(VIEWER, "accounts", "account", "me", "change_password", "list_tokens", "create_token", "delete_token"),
    **each(ADMIN, "accounts", "list_users", "create_user", "edit_user", "delete_user"),
    **each(ADMIN, "accounts", "invite", "list_invitations", "revoke_invitation"),
    **each(ADMIN, "audit", "page", "list_entries", "download_csv"),
    **each(VIEWER, "parameters", "list_architectures", "list_parameters"),
    # Datasets
    **each(VIEWER, "datasets", "list_datasets", "get_dataset", "find_sample"),
    **each(TRAINER, "datasets", "create_dataset", "import_folder", "list_folders", "create_sample"),
    **each(DATASET, "datasets", "edit_dataset", "delete_dataset", "confirm_readings"),
    **each(VIEWER, "dataset_revisions", "list_revisions", "export_dataset", "download_original", "preview_split"),
    **each(DATASET, "dataset_revisions", "create_revision", "use_revision"),
    **each(VIEWER, "dataset_contents", "list_findings", "list_images", "get_image", "get_image_file", "get_thumbnail"),
    **each(VIEWER, "dataset_contents", "download_report_csv", "download_report_json", "get_statistics"),
    **each(DATASET, "dataset_contents", "fix_dataset"),
    **each(VIEWER, "defaults", "training_defaults", "check_training", "pretrained_weights"),
    **each(VIEWER, "uploads", "list_uploads"),
    **each(TRAINER, "uploads", "create"),
    **each(UploadOwnerRule(Upload, "upload_id"), "uploads", "get", "get_offset", "append", "terminate"),
    # Trainings
    **each(VIEWER, "trainings", "list_trainings", "get_training", "get_metrics", "compare_trainings"),
    **each(VIEWER, "trainings", "list_filters", "get_queue"),
    **each(TRAINER, "trainings", "create_training"),
    **each(TRAINING, "trainings", "edit_training", "delete_training"),
    **each(ADMIN, "trainings", "reorder_queue"),
    **each(TRAINER, "estimate", "estimate"),
    **each(TRAINING, "training_actions", "stop", "pause", "resume", "retry", "extend", "restore"),
    **each(TRAINER, "training_actions", "clone"),
    **each(VIEWER, "training_bundle", "download_bundle"),
    **each(TRAINER, "training_bundle", "run_again"),
    **each(VIEWER, "training_events", "list_advice", "list_events"),
    **each(VIEWER, "training_files", "list_checkpoints", "download_checkpoint", "get_csv", "download_weights"),
    **each(VIEWER, "training_files", "get_log", "download_best"),
    **each(VIEWER, "training_views", "get_evaluation", "get_evaluation_image", "list_run_files", "get_run_file"),
    **each(VIEWER, "training_views", "list_previews", "get_preview", "get_preview_image", "get_verdict"),
    **each(TRAINER, "uploaded_models", "add_model"),
    # Evaluations and exports
    **each(VIEWER, "evaluations", "get_one_evaluation", "list_evaluations", "list_comparable", "compare_evaluations"),
    **each(VIEWER, "evaluations", "get_curves", "list_evaluated_images", "get_evaluated_image"),
    **each(VIEWER, "evaluations", "get_evaluated_thumbnail", "list_label_errors", "get_matrix", "get_thresholds"),
    **each(TRAINER, "evaluations", "create_evaluation"),
    **each(TRAINING, "evaluations", "choose_thresholds"),
    **each(OwnerRule(Evaluation, "evaluation_id"), "evaluations", "delete_evaluation"),
    **each(VIEWER, "exports", "list_formats", "get_export", "download_export", "list_exports"),
    **each(TRAINER, "exports", "export_model"),
    **each(OwnerRule(ModelExport, "export_id"), "exports", "delete_export"),
    # Tests and predictions
    **each(TRAINER, "predictions", "predict"),
    **each(VIEWER, "prediction_runs", "index", "show", "file"),
    **each(TRAINER, "prediction_runs", "create"),
    **each(OwnerRule(PredictionRun, "prediction_id"), "prediction_runs", "delete"),
    **each(VIEWER, "tests", "index", "show", "image", "original", "models"),
    **each(TRAINER, "tests", "create", "frame", "video"),
    **each(OwnerRule(Test, "test_id"), "tests", "delete"),
    # The machine
    **each(VIEWER, "jobs", "list_jobs", "get_job"),
    **each(OwnerRule(Job, "job_id"), "jobs", "stop_job"),
    **each(VIEWER, "system", "figures", "metrics", "log_tail"),
    **each(VIEWER, "installation", "page", "get_installation"),
    **each(ADMIN, "installation", "adopt", "start_anew"),
}

# With PRIVATE_DATA, the log and the Prometheus figures are for admins, since they are about everyone.
WHERE_PRIVATE: dict[str, Rule] = each(ADMIN, "system", "metrics", "log_tail")

# The models of the ids in addresses. Ids of images, epochs and the like are below one of these.
NAMED: dict[str, type[Model]] = {
    "dataset_id": Dataset,
    "training_id": Training,
    "evaluation_id": Evaluation,
    "other_id": Evaluation,
    "export_id": ModelExport,
    "test_id": Test,
    "prediction_id": PredictionRun,
    "job_id": Job,
}

EVENTS: dict[str, Role] = {
    f"{verb}_{room}": VIEWER for verb in ("join", "leave") for room in ("training", "job", "dashboard", "system")
}
