"""Verifies logout tokens of an OpenID Connect provider."""

import time
from threading import Lock
from typing import Any, ClassVar

from flask_babel import gettext as _

from app.access.back_channel import Departure, departure_of
from app.access.claims import Claims
from app.access.provider_client import LoginRefused, ProviderClient
from app.errors import AppError

REFRESH_S = 30.0  # between two fetches of the provider's keys caused by unknown keys


class LogoutRefused(AppError):
    """The logout token is invalid.

    Args:
        reason: a code for the reader.
    """

    headers: ClassVar[dict[str, str]] = {"Cache-Control": "no-store"}

    def __init__(self, reason: str | None) -> None:
        super().__init__(_("This isn't a valid logout token (%(reason)s).", reason=reason or "error"))
        self.reason = reason


class LogoutTokens:
    def __init__(self, client: ProviderClient) -> None:
        self.client = client
        self._lock = Lock()
        self._keys_refreshed_at = -REFRESH_S

    def departure(self, token: str) -> Departure:
        """The departure in a logout token, verified.

        Raises:
            LogoutRefused: it is not from the provider, or not for this client.
            ProviderUnavailable: the provider's keys can't be fetched.
        """
        try:
            with self.client.requesting():
                client = self.client.described()
                issuer, claims = client.server_metadata["issuer"], self.signed_claims(client, token)
        except LoginRefused as error:
            raise LogoutRefused(error.reason) from error
        try:
            return departure_of(claims, issuer, self.client.config.OIDC_CLIENT_ID)
        except ValueError as error:
            raise LogoutRefused(str(error)) from error

    def signed_claims(self, client: Any, token: str) -> Claims:
        """The claims of a token signed with one of the provider's keys; the claims are not checked."""
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        algorithms = client.server_metadata["id_token_signing_alg_values_supported"]
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        try:
            return dict(jwt.decode(token, KeySet.import_key_set(client.fetch_jwk_set()), registry=registry).claims)
        except (BadSignatureError, InvalidKeyIdError):
            if not self.may_refresh_keys():
                raise
            keys = KeySet.import_key_set(client.fetch_jwk_set(force=True))
            return dict(jwt.decode(token, keys, registry=registry).claims)

    def may_refresh_keys(self) -> bool:
        """Whether keys may be fetched again: limited, since anybody may send tokens."""
        now = time.monotonic()
        with self._lock:
            if now < self._keys_refreshed_at + REFRESH_S:
                return False
            self._keys_refreshed_at = now
            return True
