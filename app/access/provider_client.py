"""Requests to the OpenID Connect provider: its description, deadlines, and what a failure means to a person."""

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
TIMEOUT_S = 5.0  # of each request to the provider: to connect, and between two bytes
FRESH_S = 3600.0  # so long its description and its keys are cached: a key that it withdrew counts no longer
AT_ONCE = 8  # requests that wait for the provider
BY_HEADER, BY_FORM = "client_secret_basic", "client_secret_post"  # ways to send OIDC_CLIENT_SECRET


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or not with what it should."""

    reason = "unavailable"

    def __init__(self) -> None:
        super().__init__(
            _("%(name)s can't be reached at the moment. Try again later, or log in another way.", name=provider_name())
        )


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


class ProviderClient:
    """Authlib's client of the one provider, with its description.

    Args:
        app: where Authlib registers it.
    """

    def __init__(self, app: Flask, config: Settings) -> None:
        self.app, self.config = app, config
        self.slots = Slots(AT_ONCE)
        self.registered, self._fresh_until = self.register(), 0.0

    def register(self) -> Any:
        """Authlib's client, which has sent nothing yet."""
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
        """Authlib's client with the provider's description, checked.

        Raises:
            ProviderUnavailable: it has none, or one of another provider's.
        """
        if time.monotonic() < self._fresh_until:
            return self.registered
        client = self.register()
        problem = fault_of(client.load_server_metadata(), self.config.OIDC_ISSUER)
        if problem:
            logger.error("the OpenID Connect provider's description: %s", problem)
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
        """Wraps requests to the provider: few at a time, and failures as errors of ours.

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
