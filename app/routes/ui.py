"""The pages. Each shows a frame with what it needs to start; its script loads the rest by REST and Socket.IO."""

import re
from pathlib import PurePath
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import current_app, redirect, render_template, request, send_file
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.access.principal import current
from app.access.private import is_limited
from app.config import settings
from app.errors import NotFound
from app.extensions import db
from app.i18n import LOCALES
from app.models import Dataset, Evaluation, Training, TrainingStatus
from app.services import services
from app.services.guide import guide
from app.services.source import source_archive
from app.services.trainer.levels import LEVELS

blueprint = APIBlueprint("ui", __name__, enable_openapi=False)

YEAR_S = 31_536_000
ID = r"[1-9]\d{0,14}"
IDS = re.compile(rf"{ID}(,{ID}){{0,9}}", re.ASCII)

# YOLOv8 detection models: millions of parameters, and GFLOPs at 640 px (ultralytics' table).
MODELS = (
    {"version": "n", "name": "nano", "parameters": 3.2, "flops": 8.7, "hint": _l("fastest; enough to test a dataset")},
    {"version": "s", "name": "small", "parameters": 11.2, "flops": 28.6, "hint": _l("fast; good on small devices")},
    {"version": "m", "name": "medium", "parameters": 25.9, "flops": 78.9, "hint": _l("balanced; GPU recommended")},
    {"version": "l", "name": "large", "parameters": 43.7, "flops": 165.2, "hint": _l("accurate; needs a GPU")},
    {"version": "x", "name": "extra large", "parameters": 68.2, "flops": 257.8, "hint": _l("most accurate; slowest")},
)


@blueprint.app_context_processor
def about() -> dict[str, str]:
    """Values for the frame of every page."""
    return {"version": current_app.version}  # type: ignore[attr-defined]


@blueprint.get("/")
def index() -> str:
    """The dashboard; a welcome page as long as there is no data."""
    used = any(db.session.scalar(select(kind.id).limit(1)) is not None for kind in (Training, Dataset))
    return render_template("index.html", used=used)


@blueprint.get("/datasets")
def datasets() -> str:
    """All datasets, and the upload."""
    post, resumable = settings().MAX_UPLOAD_SIZE, settings().MAX_RESUMABLE_SIZE
    return render_template("datasets.html", max_upload=max(post, resumable), max_post=post)


@blueprint.get("/datasets/<id:dataset_id>")
def dataset(dataset_id: int) -> str:
    """One dataset."""
    row = db.session.get(Dataset, dataset_id)
    if row is None:
        raise NotFound(_("Dataset %(id)s doesn't exist.", id=dataset_id))
    return render_template("dataset.html", dataset=row)


@blueprint.get("/trainings")
def trainings() -> str:
    """All trainings."""
    return render_template("trainings.html")


@blueprint.get("/trainings/new")
def training_new() -> str:
    """The form of a new training, with the server's defaults in it."""
    config = settings()
    defaults = {
        "model_version": default_model(config.DEFAULT_MODEL),
        "epochs": config.DEFAULT_EPOCHS,
        "batch_size": config.DEFAULT_BATCH_SIZE,
        "img_size": config.DEFAULT_IMG_SIZE,
    }
    return render_template("training_new.html", defaults=defaults, models=MODELS, dataset_id=proposed_dataset())


def proposed_dataset() -> int | None:
    """The dataset whose presets the form of a new training will show first; None: it will show none."""
    if "clone" in request.args:
        return None
    named = request.args.get("dataset_id", "")
    return services().datasets.store.valid_id(int(named) if re.fullmatch(ID, named, re.ASCII) else None)


@blueprint.get("/trainings/<id:training_id>")
def training(training_id: int) -> str:
    """One training, live."""
    row = db.session.get(Training, training_id)
    if row is None:
        raise NotFound(_("Run %(id)s doesn't exist.", id=training_id))
    return render_template(
        "training.html", training=row, ended=TrainingStatus(row.status).ended, levels=LEVELS[row.task]
    )


@blueprint.get("/evaluations/<id:evaluation_id>")
def evaluation(evaluation_id: int) -> str:
    """One evaluation, image by image."""
    row = db.session.get(Evaluation, evaluation_id)
    if row is None:
        raise NotFound(_("Evaluation %(id)s doesn't exist.", id=evaluation_id))
    training = db.session.get_one(Training, row.training_id)
    return render_template("evaluation.html", evaluation=row, training=training, levels=LEVELS[training.task])


@blueprint.get("/compare")
def compare() -> str:
    """Trainings side by side; `?ids=3,5,8` says which."""
    ids = request.args.get("ids", "")
    return render_template("compare.html", ids=ids if IDS.fullmatch(ids) else "")


@blueprint.get("/system")
def system() -> str:
    """The machine, the devices, the processes and, for whom it is, the log."""
    return render_template("system.html", has_log=not is_limited(current()))


@blueprint.get("/tests")
def tests() -> str:
    """Try a trained model on images, a video or the camera."""
    return render_template("tests.html")


@blueprint.get("/help")
def help_page() -> str:
    """The user guide, in the reader's language."""
    return render_template("help.html", guide=guide(str(get_locale())))


@blueprint.post("/language")
def language() -> Response:
    """Keep the reader's language in a cookie and go back to the page they came from."""
    response = redirect(local_address(request.form.get("next", "/")), 303)
    chosen = request.form.get("lang", "")
    if chosen in LOCALES:
        response.set_cookie("lang", chosen, max_age=YEAR_S, samesite="Lax")
    return response


@blueprint.get("/source.tar")
def source() -> Response:
    """The source code of what runs here."""
    return send_file(source_archive(), "application/x-tar", as_attachment=True, download_name="source.tar")


def local_address(address: str) -> str:
    """The address if it is a path of this server, otherwise the dashboard's."""
    try:
        parts = urlsplit(address)
    except ValueError:  # such as //[
        return "/"
    local = not parts.scheme and not parts.netloc and address.startswith("/") and "\\" not in address
    return address if local and not address.startswith("//") and address.isprintable() else "/"


def default_model(weights: str) -> str:
    """The size in a file name such as yolov8m.pt; n if it has none."""
    named = re.fullmatch(r"yolov8([nsmlx])(\.pt)?", PurePath(weights).name)
    return named[1] if named else "n"
