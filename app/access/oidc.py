"""Logs people in through an OpenID Connect provider. Authlib implements the protocol: discovery, PKCE, state, nonce,
keys.

This module adds what Authlib leaves open: the required issuer and audience, accepted signatures, expiry, single use of
a state, deadlines, and errors for users.
"""

import logging
import time
from datetime import timedelta
from threading import Lock
from typing import Any

from apiflask import APIFlask
from flask import Flask, current_app, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_babel import gettext as _

from app.access.claims import (
    LONGEST_SUBJECT,
    Answer,
    Begun,
    Claims,
    Person,
    claim_at,
    code_of,
    with_id_token,
)
from app.access.logout_tokens import LogoutTokens
from app.access.provider_client import LoginRefused, ProviderClient, ProviderUnavailable
from app.config import Settings, settings
from app.errors import LoginRequired, NotFound

CALLBACK = "/login/oidc"
LASTS = timedelta(minutes=10)  # from the login page to the provider and back
LEEWAY_S = 60  # between the provider's clock and ours
MAX_USED_STATES = 10_000
DETAILS = {"name", "email", "email_verified"}


class LoginLost(LoginRequired):
    """The state of the login is missing: expired, another browser or tab, or used before."""

    reason = "lost"

    def __init__(self) -> None:
        super().__init__(_("This login took too long, or was begun in another tab. Begin again."))


class Provider:
    """The provider of this server: logins, and logouts that it reports.

    Args:
        app: its session cookie holds the state of a login.
    """

    def __init__(self, app: Flask, config: Settings) -> None:
        self.config, self.client = config, ProviderClient(app, config)
        self.logout_tokens = LogoutTokens(self.client)
        self.lock = Lock()
        self.used_states: dict[str, float] = {}

    def begin(self, redirect_uri: str, next: str, account_id: int | None = None) -> str:
        """Begin a login; returns the provider's address for the browser. The state is stored in a signed cookie.

        Raises:
            ProviderUnavailable
        """
        try:
            with self.client.requesting():
                client = self.client.described()
                request = client.create_authorization_url(redirect_uri)
        except LoginRefused as error:  # invalid provider description
            raise ProviderUnavailable from error
        session.clear()  # with two tabs, the last one counts
        url = request.pop("url")
        client.save_authorize_data(redirect_uri=redirect_uri, next=next, account_id=account_id, **request)
        return str(url)

    def pop_begun(self) -> Begun:
        """The state of this browser's login, which is removed.

        Raises:
            LoginLost
        """
        state = request.args.get("state", "")
        begun: Begun | None = self.client.registered.framework.get_state_data(session, state)
        session.clear()
        if not begun or not self.use_state(state):
            raise LoginLost
        return begun

    def use_state(self, state: str) -> bool:
        """Mark a state as used; False if it was used before, so that a copied cookie cannot replay it."""
        now = time.monotonic()
        with self.lock:
            if state in self.used_states:
                return False
            self.used_states[state] = now
            for old, used_at in list(self.used_states.items()):  # oldest first
                if used_at > now - LASTS.total_seconds() and len(self.used_states) <= MAX_USED_STATES:
                    break
                del self.used_states[old]
        return True

    def finish(self, begun: Begun) -> Answer:
        """Exchange the code that the browser brought.

        Args:
            begun: from `pop_begun`.

        Raises:
            LoginRefused: the provider's answer is not a valid login.
            ProviderUnavailable: it does not answer.
        """
        if request.args.get("error"):
            raise LoginRefused(code_of(request.args["error"]))
        with self.client.requesting():
            client = self.client.described()
            issuer = client.server_metadata["issuer"]
            if request.args.get("iss", issuer) != issuer:  # RFC 9207: the answer is from another provider
                raise LoginRefused("iss")
            sent = {"code": request.args.get("code", ""), "code_verifier": begun["code_verifier"]}
            token = client.fetch_access_token(redirect_uri=begun["redirect_uri"], **sent)
            if not isinstance(token, dict) or not isinstance(token.get("id_token"), str):
                raise LoginRefused("id_token")
            claims = self.claims_of(client, token, begun["nonce"])
            subject = claims["sub"]
            if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT:
                raise LoginRefused("sub")
            claims = self.with_details(client, token, claims)
        return Answer(Person(issuer, subject, claims), begun["next"], begun["account_id"])

    def claims_of(self, client: Any, token: Claims, nonce: str) -> Claims:
        """The verified claims of the ID token.

        Raises:
            JoseError: it is not from the provider, not for this client, not for this login, or expired.
        """
        from joserfc.errors import BadSignatureError

        # Authlib checks the issuer, but the audience only if requested.
        issuer, audience = client.server_metadata["issuer"], self.config.OIDC_CLIENT_ID
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": audience},
        }
        try:
            return dict(client.parse_id_token(token, nonce, options, leeway=LEEWAY_S))
        except BadSignatureError:  # Authlib fetches keys again only if they have new names
            client.fetch_jwk_set(force=True)
            return dict(client.parse_id_token(token, nonce, options, leeway=LEEWAY_S))

    def with_details(self, client: Any, token: Claims, claims: Claims) -> Claims:
        """The claims, completed from the provider's userinfo endpoint if a required one is missing.

        Raises:
            LoginRefused: the answer is about another subject.
        """
        claim = self.config.OIDC_ROLE_CLAIM
        complete = claims.keys() >= DETAILS and (not claim or claim_at(claims, claim) is not None)
        if complete or not client.server_metadata.get("userinfo_endpoint"):
            return claims
        more = dict(client.userinfo(token=token))
        if more.get("sub") != claims["sub"]:  # OpenID Connect Core, section 5.3.2
            raise LoginRefused("userinfo")
        return with_id_token(claims, more)


def provider() -> Provider:
    """The provider of this server.

    Raises:
        NotFound: none is configured.
    """
    if not settings().OIDC_ISSUER:
        raise NotFound(_("People don't log in by a provider on this server (OIDC_ISSUER)."))
    extensions = current_app.extensions
    if "oidc" not in extensions:
        extensions["oidc"] = Provider(current_app._get_current_object(), settings())  # type: ignore[attr-defined]
    current: Provider = extensions["oidc"]
    return current


class LoginCookie(SecureCookieSessionInterface):
    """Flask's session cookie, used only for logins through a provider."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def init_app(app: APIFlask) -> None:
    """Configure the cookie for logins in progress: signed, for one path, with the lifetime of a login."""
    app.session_interface = LoginCookie()
    app.config.update(
        SESSION_COOKIE_NAME=f"ytp_oidc_{settings(app).PORT}",
        SESSION_COOKIE_PATH=CALLBACK,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LASTS,  # also the maximum age of its signature
    )
    logging.getLogger("authlib").setLevel(logging.INFO)  # its DEBUG entries contain secrets
