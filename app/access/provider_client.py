"""Requests to the OpenID Connect provider: its description, deadlines, and errors for users."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask_babel import gettext as _

from app.access.claims import algorithms_of, code_of, fault_of
from app.config import Settings, settings
from app.errors import LoginRequired, Unavailable
from app.limits import Slots

logger = logging.getLogger("yolo.access")

DISCOVERY = "/.well-known/openid-configuration"
TIMEOUT_S = 5.0  # per request to the provider: to connect, and between two bytes
FRESH_S = 3600.0  # cache lifetime of its description and keys: a withdrawn key is not accepted for longer
AT_ONCE = 8  # parallel requests to the provider
BY_HEADER, BY_FORM = "client_secret_basic", "client_secret_post"  # methods of sending OIDC_CLIENT_SECRET


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or its answer is unusable."""

    reason = "unavailable"

    def __init__(self) -> None:
        super().__init__(
            _("%(name)s can't be reached at the moment. Try again later, or log in another way.", name=provider_name())
        )


class LoginRefused(LoginRequired):
    """The provider refused the login, or its answer is not trustworthy.

    Args:
        reason: a code for the reader and the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            _("Logging in with %(name)s failed (%(reason)s). Begin again.", name=provider_name(), reason=reason)
        )
        self.reason = reason


class ProviderClient:
    """Authlib's client of the provider, with its description.

    Args:
        app: where Authlib registers it.
    """

    def __init__(self, app: Flask, config: Settings) -> None:
        self.app, self.config = app, config
        self.slots = Slots(AT_ONCE)
        self.registered, self._fresh_until = self.register(), 0.0

    def register(self) -> Any:
        """Authlib's client, before any request."""
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

    def described(self) -> Any:
        """Authlib's client with the verified description of the provider.

        Raises:
            ProviderUnavailable: there is no description, or it is another provider's.
        """
        if time.monotonic() < self._fresh_until:
            return self.registered
        client = self.register()
        problem = fault_of(client.load_server_metadata(), self.config.OIDC_ISSUER)
        if problem:
            logger.error("the OpenID Connect provider's description is invalid: %s", problem)
            raise ProviderUnavailable
        metadata = client.server_metadata
        metadata["id_token_signing_alg_values_supported"] = algorithms_of(metadata)
        methods = metadata.get("token_endpoint_auth_methods_supported") or [BY_HEADER]
        if self.config.OIDC_CLIENT_SECRET and BY_HEADER not in methods and BY_FORM in methods:
            client.client_kwargs["token_endpoint_auth_method"] = BY_FORM
        self.registered, self._fresh_until = client, time.monotonic() + FRESH_S
        return client

    @contextmanager
    def requesting(self) -> Iterator[None]:
        """Limits parallel requests to the provider, and converts failures to our errors.

        Raises:
            ProviderUnavailable: it does not answer, or too many requests wait for it.
            LoginRefused: its answer is not trustworthy.
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
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # not in the standard's format
            logger.warning("the OpenID Connect provider's answer is invalid: %s: %s", type(error).__name__, error)
            raise LoginRefused("answer") from error
        finally:
            self.slots.release()


def provider_name() -> str:
    """The provider's name for users."""
    config = settings()
    return config.OIDC_NAME or urlsplit(config.OIDC_ISSUER).hostname or ""
