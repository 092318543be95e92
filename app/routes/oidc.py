"""Logging in through an OpenID Connect provider, and linking an account with it."""

from datetime import timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, make_response, redirect, request
from flask_babel import gettext as _

from app.access.back_channel import LONGEST_TOKEN
from app.access.claims import Answer
from app.access.guesses import account_guesses
from app.access.identify import access_of, of_session
from app.access.logout_tokens import LogoutRefused
from app.access.oidc import CALLBACK, provider
from app.config import settings
from app.errors import AppError, LoginRequired
from app.rates import LOGIN, limited
from app.routes.accounts import who
from app.routes.audit import BEGUN, REASON
from app.routes.departures import close_ended
from app.routes.login_page import login_page, set_session_cookie
from app.routes.ui import local_address
from app.schemas.accounts import IdentityRemoved, IdentityRemovedValues
from app.schemas.base import Message, MessageValues
from app.schemas.logins import (
    LinkIn,
    LinkInValues,
    ProviderAddress,
    ProviderAddressValues,
    ProviderLoginIn,
    ProviderLoginInValues,
)
from app.services import services
from app.services.accounts.people import WrongPassword

BACK_CHANNEL = CALLBACK + "/logout"
blueprint = APIBlueprint("oidc", __name__, tag="Accounts")

NONE = {404: "The server has no provider (OIDC_ISSUER)."}
UNREACHABLE = {503: "The provider can't be reached."}


def callback_address() -> str:
    """The address to which the provider redirects the browser; it must be registered there. Behind a proxy, it depends
    on TRUSTED_PROXIES.
    """
    return request.host_url.rstrip("/") + CALLBACK


@blueprint.post("/api/login/oidc")
@limited(LOGIN)
@blueprint.input(ProviderLoginIn, arg_name="values")
@blueprint.output(ProviderAddress)
@blueprint.doc(responses=NONE | UNREACHABLE)
def begin(values: ProviderLoginInValues) -> ProviderAddressValues:
    """Begin a login by the provider: open the address in the browser that sent this."""
    return {"url": provider().begin(callback_address(), local_address(values["next"]))}


@blueprint.post("/api/me/identity")
@limited(LOGIN)
@blueprint.input(LinkIn, arg_name="values")
@blueprint.output(ProviderAddress)
@blueprint.doc(responses=NONE | UNREACHABLE | {403: "A token can't link.", 422: "The present password is another one."})
def begin_link(values: LinkInValues) -> ProviderAddressValues:
    """Begin to link your account with your login at the provider: open the address in the browser that sent this."""
    oidc = provider()
    expect_password(values.get("current"))
    return {"url": oidc.begin(callback_address(), "/account", who().account_id)}


@blueprint.delete("/api/me/identity")
@blueprint.output(Message)
@blueprint.doc(responses={403: "A token can't unlink.", 404: "It isn't linked.", 409: "There would be no way in."})
def unlink() -> MessageValues:
    """Remove the link between your account and the provider. Your other sessions end."""
    services().accounts.identities.unlink(who())
    close_ended()
    return {"message": _("The link was removed.")}


@blueprint.delete("/api/users/<id:user_id>/identities/<id:identity_id>")
@blueprint.output(IdentityRemoved)
@blueprint.doc(responses={404: "The user has no such link."})
def remove_link(user_id: int, identity_id: int) -> IdentityRemovedValues:
    """Remove the link between a user and a provider. Their sessions end; tokens stay.

    Where OIDC_ALLOWED has them, their next login makes another account: block this one to keep them out.
    """
    services().accounts.identities.remove(user_id, identity_id)
    close_ended()
    return {"message": _("The link was removed."), "user_id": user_id, "identity_id": identity_id}


def expect_password(password: str | None) -> None:
    """
    Raises:
        WrongPassword: of the current account.
        RateLimited: too many wrong passwords.
        NotAllowed: see `expect_linkable`.
        NotFound: see `expect_linkable`.
    """
    guesses = account_guesses(who().account_id)
    guesses.expect_few()
    try:
        services().accounts.identities.expect_linkable(who(), password)
    except WrongPassword:
        guesses.add()
        raise


@blueprint.get(CALLBACK)
@blueprint.doc(hide=True)
def finish() -> Any:
    """The provider sends the browser here; what comes is believed only with what this browser began with."""
    next = "/"
    try:
        oidc = provider()
        begun = oidc.pop_begun()
        setattr(g, BEGUN, True)
        next = local_address(begun["next"])
        answer = oidc.finish(begun)
        return linked(answer) if answer.account_id is not None else logged_in(answer)
    except AppError as error:
        return failed(error, next)


@blueprint.post(BACK_CHANNEL)
@blueprint.doc(hide=True)
def end_by_provider() -> Any:
    """The provider itself says that somebody has logged out there. OpenID Connect Back-Channel Logout 1.0, section 2.5.

    Raises:
        LogoutRefused: the token is not valid.
        NotFound: the server has no provider.
    """
    tokens = provider().logout_tokens
    token = request.form.get("logout_token", "")
    if not 1 <= len(token) <= LONGEST_TOKEN:
        raise LogoutRefused("logout_token")
    g.principal = services().accounts.identities.end_sessions(tokens.departure(token))  # for the audit log
    close_ended()
    response = make_response("", 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def failed(error: AppError, next: str) -> Response:
    """The login page with the error; the audit log has the reason."""
    setattr(g, REASON, error.reason)
    response = make_response(login_page(next, error.detail), int(error.status))
    response.headers.extend(error.headers)
    return response


def logged_in(answer: Answer) -> Response:
    """Begin a session for an identified person, and redirect to the requested page."""
    try:
        g.principal, secret = services().accounts.identities.log_in(answer.person)
    finally:
        if settings().OIDC_ROLE_CLAIM:
            close_ended()  # the role may have changed, or been removed
    response = make_response(redirect(local_address(answer.next), 303))
    set_session_cookie(response, secret, timedelta(hours=settings().OIDC_SESSION_HOURS))
    return response


def linked(answer: Answer) -> Response:
    """
    Raises:
        LoginRequired: the session that requested the link has ended.
    """
    owner = session_owner()
    if owner is None or owner.account_id != answer.account_id or owner.token_id:
        raise LoginRequired(_("Log in first."))
    g.principal = owner
    services().accounts.identities.link(owner.account_id or 0, answer.person)
    return make_response(redirect("/account", 303))


def session_owner() -> Any:
    """The account of this browser's session; the door has not checked it, since this route is public."""
    secret = request.cookies.get(access_of().cookie)
    return of_session(secret) if secret else None
