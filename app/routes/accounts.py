"""Logging in and out; users, invitations and tokens; and their pages."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, jsonify, redirect, render_template, request
from flask_babel import gettext as _

from app.access.door import ROLE_NAMES
from app.access.guesses import account_guesses, guesses_of, remember_browser
from app.access.identify import access_of, of_session
from app.access.principal import OPEN, Principal, current
from app.access.provider_client import provider_name
from app.config import settings
from app.errors import LoginRequired
from app.rates import LOGIN, limited
from app.routes.departures import close_ended
from app.routes.login_page import login_page, set_session_cookie
from app.schemas.access_tokens import (
    TokenCreated,
    TokenCreatedValues,
    TokenDeleted,
    TokenDeletedValues,
    TokenIn,
    TokenInValues,
    TokensOut,
    TokensOutValues,
)
from app.schemas.accounts import (
    UserDeleted,
    UserDeletedValues,
    UserIn,
    UserInValues,
    UserOut,
    UserOutValues,
    UserPatch,
    UserPatchValues,
    UsersOut,
    UsersOutValues,
)
from app.schemas.base import Message, MessageValues
from app.schemas.invitations import (
    InvitationCheckIn,
    InvitationCheckInValues,
    InvitationCheckOut,
    InvitationCheckOutValues,
    InvitationIn,
    InvitationInValues,
    InvitationOut,
    InvitationOutValues,
    InvitationRevoked,
    InvitationRevokedValues,
    InvitationsOut,
    InvitationsOutValues,
)
from app.schemas.logins import LoginIn, LoginInValues, MeOut, MeOutValues, PasswordIn, PasswordInValues
from app.services import services
from app.services.accounts.logins import LASTS
from app.services.accounts.people import WrongPassword, key_of
from app.services.accounts.present import account_view, invitation_view, token_view

blueprint = APIBlueprint("accounts", __name__, tag="Accounts")


def me_of(principal: Principal) -> MeOutValues:
    """The principal for the MeOut schema."""
    return {
        "id": principal.account_id,
        "name": principal.name,
        "role": str(principal.role),
        "via": principal.via,
    }


def who() -> Principal:
    """The principal of the request; the door has refused unauthenticated ones."""
    principal = current()
    if principal is None:
        raise LoginRequired(_("Log in first."))
    return principal


@blueprint.get("/login")
@blueprint.doc(hide=True)
def login() -> Any:
    """Who may not enter yet comes here; `next` says where they wanted to go."""
    return login_page(request.args.get("next", "/"))


@blueprint.get("/account")
@blueprint.doc(hide=True)
def account() -> Any:
    """Who I am, my tokens; for admins, the users."""
    principal = who()
    if principal.via == OPEN:
        return redirect("/")
    accounts = services().accounts
    mine = accounts.people.find(principal.account_id) if principal.account_id else None
    link = accounts.identities.of(mine.id) if mine else None
    name = provider_name() if settings().OIDC_ISSUER else None
    role = ROLE_NAMES[principal.role]
    return render_template("account.html", account=mine, role=role, provider=name, link=link)


@blueprint.post("/api/login")
@limited(LOGIN)
@blueprint.input(LoginIn, arg_name="values")
@blueprint.output(MeOut)
@blueprint.doc(responses={401: "It isn't valid."})
def log_in(values: LoginInValues) -> Any:
    """Begin a session: with a token, a link, an invitation, or a name and password. Sets its cookie."""
    logins = services().accounts.logins
    if "token" in values:
        principal, secret = logins.by_token(values["token"])
    elif "link" in values:
        principal, secret = logins.by_owner_link(values["link"])
    elif "invitation" in values:
        principal, secret = logins.by_invitation(values["invitation"], values["name"], values.get("password"))
    else:
        principal, secret = by_password(values["name"], values["password"])
    g.principal = principal  # for the audit log: the principal that has just logged in
    response = jsonify(me_of(principal) | {"via": "session"})
    set_session_cookie(response, secret, LASTS)
    if "password" in values and principal.name:
        remember_browser(response, key_of(principal.name), request.is_secure)
    return response


def by_password(name: str, password: str) -> tuple[Principal, str]:
    """Log in with a name and a password: the principal, and the secret of the new session.

    Raises:
        LoginRequired: one of them is wrong.
        RateLimited: too many wrong passwords.
    """
    guesses = guesses_of(key_of(name), request)
    guesses.expect_few()
    try:
        return services().accounts.logins.by_password(name, password, guesses.trusted)
    except LoginRequired:
        guesses.add()
        raise


@blueprint.post("/api/logout")
@blueprint.output(Message)
def log_out() -> Response:
    """End the session of the cookie that was sent. Without one, nothing happens."""
    cookie = access_of().cookie
    if secret := request.cookies.get(cookie):
        g.principal = of_session(secret)  # for the audit log
        services().accounts.logins.end(secret)
        close_ended()
    response = jsonify(message=_("You are logged out."))
    response.delete_cookie(cookie, httponly=True, samesite="Lax")
    return response


@blueprint.get("/api/me")
@blueprint.output(MeOut)
def me() -> MeOutValues:
    """Who makes this request, and with which role."""
    return me_of(who())


@blueprint.put("/api/me/password")
@blueprint.input(PasswordIn, arg_name="values")
@blueprint.output(Message)
@blueprint.doc(
    responses={
        403: "A token can't choose the first password.",
        404: "The owner of the installation has no password.",
        422: "The present password is another one.",
        429: "Too many wrong ones (RATELIMIT_PASSWORDS).",
    }
)
def change_password(values: PasswordInValues) -> MessageValues:
    """Change your own password. Your other sessions end; tokens stay."""
    principal = who()
    guesses = account_guesses(principal.account_id)
    guesses.expect_few()
    try:
        services().accounts.people.choose_password(principal, values.get("current"), values["password"])
    except WrongPassword:
        guesses.add()
        raise
    close_ended()
    return {"message": _("Password changed.")}


@blueprint.get("/api/users")
@blueprint.output(UsersOut)
def list_users() -> UsersOutValues:
    """List the users by name. The owner of the installation isn't one of them."""
    service = services().accounts
    accounts = service.people.all()
    identities = service.identities.of_all([account.id for account in accounts])
    return {"users": [account_view(account, identities) for account in accounts]}


@blueprint.post("/api/users")
@blueprint.input(UserIn, arg_name="values")
@blueprint.output(UserOut, status_code=201)
def create_user(values: UserInValues) -> UserOutValues:
    """Create a user. Without a password they come by tokens alone; an invitation lets them choose one."""
    return account_view(services().accounts.people.create(**values), [])


@blueprint.patch("/api/users/<id:user_id>")
@blueprint.input(UserPatch, arg_name="values")
@blueprint.output(UserOut)
@blueprint.doc(responses=[404])
def edit_user(user_id: int, values: UserPatchValues) -> UserOutValues:
    """Change a user's name, role, password, or whether they may log in. A new password ends their sessions."""
    service = services().accounts
    account = service.people.edit(user_id, values)
    close_ended()
    return account_view(account, service.identities.of_all([account.id]))


@blueprint.delete("/api/users/<id:user_id>")
@blueprint.output(UserDeleted)
@blueprint.doc(responses=[404])
def delete_user(user_id: int) -> UserDeletedValues:
    """Delete a user with their sessions and tokens. What they made stays."""
    services().accounts.people.delete(user_id)
    close_ended()
    return {"message": _("User deleted."), "user_id": user_id}


@blueprint.post("/api/invitations")
@blueprint.input(InvitationIn, arg_name="values")
@blueprint.output(InvitationOut, status_code=201)
def invite(values: InvitationInValues) -> InvitationOutValues:
    """Make a link with which one person can create their account. It works once, for 7 days."""
    row, secret = services().accounts.invitations.invite(values["role"])
    return {
        "invitation_id": row.id,
        "path": f"/login#invitation={secret}",
        "role": row.role,
        "expires_at": row.expires_at,
    }


@blueprint.post("/api/invitations/check")
@limited(LOGIN)
@blueprint.input(InvitationCheckIn, arg_name="values")
@blueprint.output(InvitationCheckOut)
@blueprint.doc(responses={401: "It was used, has expired, or was revoked; `detail` says which."})
def check_invitation(values: InvitationCheckInValues) -> InvitationCheckOutValues:
    """Say whether an invitation can still be used, before anybody fills in the form of an account."""
    row = services().accounts.invitations.expect_open(values["invitation"], owner=False)
    return {"role": row.role, "expires_at": row.expires_at}


@blueprint.get("/api/invitations")
@blueprint.output(InvitationsOut)
def list_invitations() -> InvitationsOutValues:
    """List the links that can still be used, newest first. Their secrets are not kept."""
    rows = services().accounts.invitations.open_invitations()
    return {"invitations": [invitation_view(row) for row in rows]}


@blueprint.delete("/api/invitations/<id:invitation_id>")
@blueprint.output(InvitationRevoked)
@blueprint.doc(responses={404: "No open invitation has this id."})
def revoke_invitation(invitation_id: int) -> InvitationRevokedValues:
    """Revoke an invitation: its link works no more."""
    services().accounts.invitations.revoke(invitation_id)
    return {"message": _("Invitation revoked."), "invitation_id": invitation_id}


@blueprint.get("/api/tokens")
@blueprint.output(TokensOut)
def list_tokens() -> TokensOutValues:
    """List your own tokens, newest first."""
    return {"tokens": [token_view(token) for token in services().accounts.tokens.of(who())]}


@blueprint.post("/api/tokens")
@blueprint.input(TokenIn, arg_name="values")
@blueprint.output(TokenCreated, status_code=201)
@blueprint.doc(responses={403: "The role is higher than yours."})
def create_token(values: TokenInValues) -> TokenCreatedValues:
    """Create a token for scripts. Its secret is in this answer alone."""
    token, secret = services().accounts.tokens.create(who(), **values)
    return {**token_view(token), "token": secret}


@blueprint.delete("/api/tokens/<id:token_id>")
@blueprint.output(TokenDeleted)
@blueprint.doc(responses={403: "A token can't delete one with a higher role.", 404: "The token doesn't exist."})
def delete_token(token_id: int) -> TokenDeletedValues:
    """Delete a token. It, and sessions that began with it, end at once."""
    services().accounts.tokens.delete(who(), token_id)
    close_ended()
    return {"message": _("Token deleted."), "token_id": token_id}
