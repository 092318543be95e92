"""The repair actions where database and data folder do not belong together; until then, nothing is changed."""

from apiflask import APIBlueprint
from flask import render_template, request
from flask_babel import gettext as _

from app.schemas import DecisionOut, InstallationOut
from app.schemas.installation import DecisionOutValues, InstallationOutValues
from app.services import services
from app.services.installation import texts

blueprint = APIBlueprint("installation", __name__, tag="System")

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
ALWAYS = {"ui.language", "installation.adopt", "installation.start_anew"}
CONFLICT = {409: "There is nothing to decide, or a training process still works in the folders."}


@blueprint.before_app_request
def refuse_changes() -> None:
    """Refuse a request that changes something while the installation is read-only.

    Raises:
        WritesRefused: the request would change something, and nothing may be changed now.
    """
    if request.method not in SAFE_METHODS and request.endpoint not in ALWAYS:
        services().installation.refuse()


@blueprint.app_context_processor
def banner() -> dict[str, InstallationOutValues]:
    """What every page says while nothing may be changed."""
    return {"installation": services().installation.state()}


@blueprint.get("/installation")
@blueprint.doc(hide=True)
def page() -> str:
    """The ways out."""
    verdict = services().installation.verdict
    return render_template("installation.html", found=texts.count_texts(verdict) if verdict else [])


@blueprint.get("/api/installation")
@blueprint.output(InstallationOut)
def get_installation() -> InstallationOutValues:
    """Whether the database and the data folder belong together."""
    return services().installation.state()


@blueprint.post("/api/installation/adopt")
@blueprint.output(DecisionOut)
@blueprint.doc(responses=CONFLICT)
def adopt() -> DecisionOutValues:
    """Take the datasets and training runs of the data folder into this database."""
    return {"message": _("The data folder belongs to this database now."), **services().installation.adopt()}


@blueprint.post("/api/installation/start-anew")
@blueprint.output(DecisionOut)
@blueprint.doc(responses=CONFLICT)
def start_anew() -> DecisionOutValues:
    """Set the folders aside that this database does not know; none is deleted."""
    return {"message": _("The folders were moved out of the way."), **services().installation.start_anew()}
