"""The audit log: records requests that may change something, and shows them to admins."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from apiflask import APIBlueprint, APIFlask
from flask import Response, g, render_template, request

from app.access.principal import current
from app.core.names import defused
from app.schemas.audit import AuditEntry, AuditEntryValues, AuditPage, AuditPageValues, AuditQuery, AuditQueryValues
from app.services import services

blueprint = APIBlueprint("audit", __name__, tag="Accounts")

SAFE = {"GET", "HEAD", "OPTIONS"}
# These change nothing, or come by the hundred for a single recorded action.
NOT_RECORDED = {
    *("uploads.append", "predictions.predict", "tests.frame", "tests.video", "ui.language"),
    *("defaults.check_training", "estimate.estimate", "dataset_revisions.preview_split", "oidc.begin"),
}
LOGIN = "accounts.log_in"
# A GET, since the provider redirects the browser to it; recorded only for a login in progress, since strangers may send
# it at no cost.
BY_PROVIDER, BEGUN = "oidc.finish", "login_begun"
REASON = "audit_reason"  # attribute of `g`: the reason of a refusal, if the status does not tell
LARGE = 64 * 1024  # bytes; answers of actions are shorter
COLUMNS = tuple(AuditEntry._declared_fields)
CSV: dict[int | str, Any] = {200: {"description": "All entries, the newest first.", "content": {"text/csv": {}}}}


@blueprint.get("/audit")
@blueprint.doc(hide=True)
def page() -> str:
    """Who did what."""
    return render_template("audit.html")


@blueprint.get("/api/audit")
@blueprint.input(AuditQuery, location="query", arg_name="query")
@blueprint.output(AuditPage)
def list_entries(query: AuditQueryValues) -> AuditPageValues:
    """List who changed what, when, from where, and how it ended; the newest first."""
    entries, following = services().audit.newest(**query)
    return {"entries": entries, "next": following}


@blueprint.get("/api/audit.csv")
@blueprint.doc(responses=CSV)
def download_csv() -> Response:
    """Download the audit log as CSV."""
    response = Response(csv_lines(services().audit.entries()), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=audit.csv"
    return response


def csv_lines(entries: Iterator[AuditEntryValues]) -> Iterator[str]:
    """Cells that a spreadsheet would evaluate are escaped."""
    yield csv_line(COLUMNS)
    for entry in entries:
        yield csv_line([entry.get(name) for name in COLUMNS])


def csv_line(cells: Any) -> str:
    """A row as CSV; cells that a spreadsheet would evaluate are escaped."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([defused(cell) for cell in cells])
    return buffer.getvalue()


def register(app: APIFlask) -> None:
    """Record each request, whatever its response."""
    app.after_request(record)


def record(response: Response) -> Response:
    """Write a request to the audit log, with the status of its response."""
    if is_recorded(response.status_code):
        principal = current()
        services().audit.write(
            account_id=principal and principal.account_id,
            name=principal and principal.name,
            role=principal and str(principal.role),
            via=principal and principal.via,
            address=request.remote_addr,
            action=request.endpoint,
            method=request.method,
            path=request.path,
            status=response.status_code,
            result=result_of(response.status_code),
            reason=g.get(REASON),
            created=created_ids(response),
        )
    return response


def is_recorded(status: int) -> bool:
    """Refusals of unauthenticated requests are not recorded, since they would fill the log; failed logins are."""
    if request.endpoint == BY_PROVIDER:
        return BEGUN in g
    if request.method in SAFE or request.endpoint is None or request.endpoint in NOT_RECORDED or status == 429:
        return False
    return current() is not None or request.endpoint == LOGIN


def result_of(status: int) -> str:
    return "done" if status < 400 else "refused" if status < 500 else "failed"


def created_ids(response: Response) -> dict[str, int]:
    """The ids in a response, and nothing else of it: it may contain a secret."""
    if response.status_code not in {201, 202} or not response.is_json or (response.content_length or LARGE) >= LARGE:
        return {}
    answer = response.get_json(silent=True)
    numbers = answer.items() if isinstance(answer, dict) else ()
    return {name: value for name, value in numbers if name.endswith("id") and type(value) is int}
