"""Logs people in by an OpenID Connect provider. Authlib speaks the protocol: discovery, PKCE, state, nonce, the keys.

Added here is what Authlib leaves open: whose issuer and audience an answer must name, which signatures count, when an
answer is too late, that a state works once, deadlines, and what a failure means to a person.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from apiflask import APIFlask
from flask import Flask, current_app, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_babel import gettext as _

from app.access.back_channel import Departure, departure_of
from app.access.claims import (
    LONGEST_SUBJECT,
    Answer,
    Begun,
    Claims,
    Person,
    algorithms_of,
    claim_at,
    code_of,
    fault_of,
    with_id_token,
)
from app.config import Settings, settings
from app.errors import AppError, LoginRequired, NotFound, Unavailable
from app.limits import Slots

logger = logging.getLogger("yolo.access")

CALLBACK = "/login/oidc"
DISCOVERY = "/.well-known/openid-configuration"
TIMEOUT_S = 5.0  # of each request to the provider: to connect, and between two bytes
FRESH_S = 3600.0  # so long its description and its keys are kept: a key that it took back counts no longer
LASTS = timedelta(minutes=10)  # from the log-in page to the provider and back
LEEWAY_S = 60  # between the provider's clock and ours
AT_ONCE = 8  # requests that wait for the provider
MOST_SPENT = 10_000
KEYS_AGAIN_S = 30.0  # between two tokens of unknown keys that are looked into
BY_HEADER, BY_FORM = "client_secret_basic", "client_secret_post"  # ways to show OIDC_CLIENT_SECRET
DETAILS = {"name", "email", "email_verified"}


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or not with what it should."""

    reason = "unavailable"

    def __init__(self) -> None:
        super().__init__(
            _("%(name)s can't be reached at the moment. Try again later, or log in another way.", name=provider_name())
        )


class LoginLost(LoginRequired):
    """What a login began with is not there: too late, another browser, another tab, or a second time."""

    reason = "lost"

    def __init__(self) -> None:
        super().__init__(_("This login took too long, or was begun in another tab. Begin again."))


class LoginRefused(LoginRequired):
    """The provider refused it, or its answer is not to be believed.

    Args:
        reason: a code for the reader and the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            _("Logging in with %(name)s failed (%(reason)s). Begin again.", name=provider_name(), reason=reason)
        )
        self.reason = reason


class LogoutRefused(AppError):
    """What came is not the provider's word that somebody has logged out.

    Args:
        reason: a code for the reader.
    """

    def __init__(self, reason: str | None) -> None:
        super().__init__(_("This isn't a valid logout token (%(reason)s).", reason=reason or "error"))
        self.reason = reason


class Provider:
    def __init__(self, app: Flask, config: Settings) -> None:
        self.app, self.config = app, config
        self.slots, self.lock = Slots(AT_ONCE), Lock()
        self.spent: dict[str, float] = {}
        self.asked = -KEYS_AGAIN_S  # for keys, because of a logout
        self._client, self._until = self.new_client(), 0.0

    def new_client(self) -> Any:
        """Authlib's; it asks nothing yet."""
        from authlib.integrations.flask_client import OAuth

        from app.access.provider_session import ProviderSession

        config = self.config
        client = OAuth(self.app).register(
            "provider",
            client_id=config.OIDC_CLIENT_ID,
            client_secret=config.OIDC_CLIENT_SECRET or None,
            server_metadata_url=config.OIDC_ISSUER.rstrip("/") + DISCOVERY,
            client_kwargs={
                "scope": config.OIDC_SCOPES,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT_S,
            },
        )
        client.client_cls = ProviderSession
        return client

    def client(self) -> Any:
        """With the provider's description, checked.

        Raises:
            ProviderUnavailable: it has none, or one of another provider's.
        """
        if time.monotonic() < self._until:
            return self._client
        client = self.new_client()
        problem = fault_of(client.load_server_metadata(), self.config.OIDC_ISSUER)
        if problem:
            logger.error("the OpenID Connect provider's description: %s", problem)
            raise ProviderUnavailable
        described = client.server_metadata
        described["id_token_signing_alg_values_supported"] = algorithms_of(described)
        ways = described.get("token_endpoint_auth_methods_supported") or [BY_HEADER]
        if self.config.OIDC_CLIENT_SECRET and BY_HEADER not in ways and BY_FORM in ways:
            client.client_kwargs["token_endpoint_auth_method"] = BY_FORM
        self._client, self._until = client, time.monotonic() + FRESH_S
        return client

    def begin(self, redirect_uri: str, next: str, account_id: int | None = None) -> str:
        """The provider's address that the browser is sent to. What must come back is kept in a signed cookie.

        Raises:
            ProviderUnavailable
        """
        try:
            with self.asking():
                client = self.client()
                request = client.create_authorization_url(redirect_uri)
        except LoginRefused as error:  # its description makes no sense
            raise ProviderUnavailable from error
        session.clear()  # of two tabs the last one counts
        url = request.pop("url")
        client.save_authorize_data(redirect_uri=redirect_uri, next=next, account_id=account_id, **request)
        return str(url)

    def take(self) -> Begun:
        """What this browser's login began with, once.

        Raises:
            LoginLost
        """
        state = request.args.get("state", "")
        begun: Begun | None = self._client.framework.get_state_data(session, state)
        session.clear()
        if not begun or not self.spend(state):
            raise LoginLost
        return begun

    def spend(self, state: str) -> bool:
        """Whether a state comes for the first time: its cookie, copied, gives no second try."""
        now = time.monotonic()
        with self.lock:
            if state in self.spent:
                return False
            self.spent[state] = now
            for known, moment in list(self.spent.items()):  # the oldest first
                if moment > now - LASTS.total_seconds() and len(self.spent) <= MOST_SPENT:
                    break
                del self.spent[known]
        return True

    def finish(self, begun: Begun) -> Answer:
        """Exchange the code that the browser brought.

        Args:
            begun: by `take`.

        Raises:
            LoginRefused, ProviderUnavailable
        """
        if request.args.get("error"):
            raise LoginRefused(code_of(request.args["error"]))
        with self.asking():
            client = self.client()
            issuer = client.server_metadata["issuer"]
            if request.args.get("iss", issuer) != issuer:  # RFC 9207: another provider answers
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
        """Those of the ID token, checked.

        Raises:
            JoseError: it is not the provider's, not for us, not for this login, or too old.
        """
        from joserfc.errors import BadSignatureError

        # Authlib checks the issuer by itself, and of the audience only who asked for it.
        issuer, audience = client.server_metadata["issuer"], self.config.OIDC_CLIENT_ID
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": audience},
        }
        try:
            return dict(client.parse_id_token(token, nonce, options, leeway=LEEWAY_S))
        except BadSignatureError:  # Authlib looks for new keys by itself where they have new names
            client.fetch_jwk_set(force=True)
            return dict(client.parse_id_token(token, nonce, options, leeway=LEEWAY_S))

    def departure(self, token: str) -> Departure:
        """Who has logged out there, by the provider's own word.

        Raises:
            LogoutRefused: it is not its word, or not for us.
            ProviderUnavailable: its keys can't be had.
        """
        try:
            with self.asking():
                client = self.client()
                issuer, claims = client.server_metadata["issuer"], self.signed(client, token)
        except LoginRefused as error:
            raise LogoutRefused(error.reason) from error
        try:
            return departure_of(claims, issuer, self.config.OIDC_CLIENT_ID)
        except ValueError as error:
            raise LogoutRefused(str(error)) from error

    def signed(self, client: Any, token: str) -> Claims:
        """The claims of a token that the provider has signed with one of its keys; nothing else is checked."""
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        algorithms = client.server_metadata["id_token_signing_alg_values_supported"]
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        try:
            return dict(jwt.decode(token, KeySet.import_key_set(client.fetch_jwk_set()), registry=registry).claims)
        except (BadSignatureError, InvalidKeyIdError):
            if not self.may_ask_for_keys():
                raise
            keys = KeySet.import_key_set(client.fetch_jwk_set(force=True))
            return dict(jwt.decode(token, keys, registry=registry).claims)

    def may_ask_for_keys(self) -> bool:
        """Whether it is long ago that anybody's token made us ask for new keys: anybody may send one."""
        moment = time.monotonic()
        with self.lock:
            if moment < self.asked + KEYS_AGAIN_S:
                return False
            self.asked = moment
            return True

    def with_details(self, client: Any, token: Claims, claims: Claims) -> Claims:
        """With those that the provider tells only when it is asked, where one that we want is not there.

        Raises:
            LoginRefused: it tells about somebody else.
        """
        claim = self.config.OIDC_ROLE_CLAIM
        complete = claims.keys() >= DETAILS and (not claim or claim_at(claims, claim) is not None)
        if complete or not client.server_metadata.get("userinfo_endpoint"):
            return claims
        more = dict(client.userinfo(token=token))
        if more.get("sub") != claims["sub"]:  # OpenID Connect Core, section 5.3.2
            raise LoginRefused("userinfo")
        return with_id_token(claims, more)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Requests to the provider.

        Raises:
            ProviderUnavailable: it does not answer, or too many wait for it already.
            LoginRefused: its answer is not to be believed.
        """
        from authlib.integrations.base_client import OAuthError
        from joserfc.errors import JoseError
        from requests import RequestException

        if not self.slots.acquire():
            raise ProviderUnavailable
        try:
            yield
        except RequestException as error:
            logger.warning("the OpenID Connect provider does not answer: %s", error)
            raise ProviderUnavailable from error
        except OAuthError as error:
            logger.warning("the OpenID Connect provider refuses a login: %s", error)
            raise LoginRefused(code_of(error.error)) from error
        except JoseError as error:
            logger.warning("an ID token is not valid: %s", error)
            raise LoginRefused(code_of(error.error)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # of another shape than the standard's
            logger.warning("the OpenID Connect provider's answer: %s: %s", type(error).__name__, error)
            raise LoginRefused("answer") from error
        finally:
            self.slots.release()


def provider_name() -> str:
    """What people know the provider as."""
    config = settings()
    return config.OIDC_NAME or urlsplit(config.OIDC_ISSUER).hostname or ""


def provider() -> Provider:
    """This server's.

    Raises:
        NotFound: it has none.
    """
    if not settings().OIDC_ISSUER:
        raise NotFound(_("People don't log in by a provider on this server (OIDC_ISSUER)."))
    extensions = current_app.extensions
    if "oidc" not in extensions:
        extensions["oidc"] = Provider(current_app._get_current_object(), settings())  # type: ignore[attr-defined]
    current: Provider = extensions["oidc"]
    return current


class LoginCookie(SecureCookieSessionInterface):
    """Flask's session, which is for logins by a provider alone."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def init_app(app: APIFlask) -> None:
    """The cookie of logins that have begun: signed, for one path, for as long as one takes."""
    app.session_interface = LoginCookie()
    app.config.update(
        SESSION_COOKIE_NAME=f"ytp_oidc_{settings(app).PORT}",
        SESSION_COOKIE_PATH=CALLBACK,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LASTS,  # and no signature is taken that is older
    )
    logging.getLogger("authlib").setLevel(logging.INFO)  # DEBUG has secrets of the login
