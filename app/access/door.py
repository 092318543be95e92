"""Authenticates and authorizes each request before its view runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from apiflask import APIFlask
from flask import Response, g, redirect, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.access import private
from app.access.identify import create_access, identify
from app.access.origins import refuse_foreign_origins, refuse_without_proof
from app.access.principal import SESSION, Principal, current
from app.config import settings
from app.core.roles import Role
from app.core.setting_values import cors_origins
from app.errors import LoginRequired, NotAllowed, NotFound
from app.extensions import db
from app.models import Dataset, Training
from app.models.base import Model
from app.problems import wants_page

ROLE_NAMES = {Role.VIEWER: _l("Viewer"), Role.TRAINER: _l("Trainer"), Role.ADMIN: _l("Admin")}


@dataclass(frozen=True)
class OwnerRule:
    """A rule: trainers may change their own objects, admins all.

    Args:
        model: the object's; it, or the training that it belongs to, has `created_by`.
        argument: the name of its id in the address.
    """

    model: Any
    argument: str

    def find(self, value: Any) -> Any | None:
        """The row, or None: the route then answers 404."""
        return db.session.get(self.model, value)

    def not_there(self, value: Any) -> str | None:
        """The message for another person's object with PRIVATE_DATA; None: none, the caller refuses it."""
        return None


PUBLIC = None
Rule = Role | OwnerRule | None
Named = Mapping[str, type[Model]]


def init_app(app: APIFlask, rules: Mapping[str, Rule], where_private: Mapping[str, Rule], named: Named) -> None:
    """Check every request.

    Args:
        rules: by endpoint; endpoints that are not listed are for admins.
        where_private: rules that replace some of them with PRIVATE_DATA.
        named: the models whose ids are in addresses, by argument name.
    """
    if settings(app).PRIVATE_DATA:
        rules = {**rules, **where_private}
    app.extensions["access"] = create_access(settings(app))
    allowed = cors_origins(settings(app).SOCKETIO_CORS_ALLOWED_ORIGINS) or []

    @app.before_request
    def enter() -> Any:
        rule = rules.get(request.endpoint or "", Role.ADMIN)
        principal = g.principal = None if rule is PUBLIC else identify(request)
        refuse_foreign_origins(request, allowed, principal is None or principal.by_browser)
        if rule is PUBLIC or request.endpoint is None or request.method == "OPTIONS":
            return None
        if principal is None:
            return to_login()
        if principal.via == SESSION:
            refuse_without_proof(request)
        arguments = request.view_args or {}
        check_role(rule, principal)
        if private.is_limited(principal):
            hide(named, arguments)
        check(rule, principal, arguments)
        return None

    @app.context_processor
    def who() -> dict[str, object]:
        return {"principal": current(), "needs": needs}


def needs(*rows: Any) -> str:
    """The role that a button needs, for `data-needs` in a page: trainer if the person owns one of the rows."""
    principal = current()
    owns_one = principal is not None and any(principal.owns(row.created_by) for row in rows)
    return str(Role.TRAINER if owns_one else Role.ADMIN)


def to_login() -> Response:
    """Redirect a page request to the login page.

    Raises:
        LoginRequired: the request is not for a page.
    """
    if wants_page() and request.method in {"GET", "HEAD"}:
        back = request.full_path.rstrip("?")
        return redirect(f"/login?next={quote(back, safe='/')}")  # type: ignore[return-value]
    raise LoginRequired(_("Log in, or send a token: “Authorization: Bearer ytp_…”."))


def check(rule: Rule, principal: Principal, arguments: Mapping[str, object]) -> None:
    """Check that a principal may do what a rule protects.

    Raises:
        NotAllowed: it belongs to another person.
        NotFound: the same with PRIVATE_DATA, if the rule has a message for it.
    """
    if isinstance(rule, OwnerRule) and principal.role != Role.ADMIN:
        row = rule.find(arguments[rule.argument])
        if row is not None and not any(principal.owns(account) for account in owners(row)):
            if private.is_limited(principal) and (text := rule.not_there(arguments[rule.argument])):
                raise NotFound(text)
            raise NotAllowed(_("This belongs to somebody else. Ask them or an admin."))


def check_role(rule: Rule, principal: Principal) -> None:
    """Check that the principal's role is sufficient.

    Raises:
        NotAllowed: the role does not cover it.
    """
    need = rule if isinstance(rule, Role) else Role.TRAINER
    if not principal.role.covers(need):
        raise NotAllowed(
            _(
                "This needs the role “%(need)s”. Yours is “%(role)s”.",
                need=ROLE_NAMES[need],
                role=ROLE_NAMES[principal.role],
            )
        )


def hide(named: Named, arguments: Mapping[str, Any]) -> None:
    """Check that the current person may see every object that the address names.

    Raises:
        NotFound: the person may not see one of them.
    """
    for name, value in arguments.items():
        if name in named:
            private.expect_visible(named[name], value)


def owners(row: Any) -> list[int | None]:
    """The accounts that may change a row: its creator, and the owner of its training, for example."""
    return [row.created_by, *(base.created_by for base in bases(row))]


def bases(row: Any) -> Iterator[Any]:
    """The training or dataset that an object belongs to, or that a job is about."""
    kinds = {"training": Training, "dataset": Dataset}
    about = getattr(row, "subject_type", None)
    pairs = [(Training, getattr(row, "training_id", None)), (kinds.get(about or ""), getattr(row, "subject_id", None))]
    for model, key in pairs:
        if model is not None and key and (base := db.session.get(model, key)) is not None:
            yield base
