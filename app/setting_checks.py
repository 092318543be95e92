"""Checks settings that exclude each other."""

from typing import TYPE_CHECKING

from app.core.setting_values import SettingError

if TYPE_CHECKING:
    from app.config import Settings


def check_together(config: "Settings") -> None:
    """
    Raises:
        SettingError: two settings contradict each other; the message names them.
    """
    refuse_open_network(config)
    refuse_half_a_provider(config)
    refuse_lone_storage(config)


def refuse_open_network(config: "Settings") -> None:
    """Refuse AUTH=off on an address that other machines reach, unless that is allowed explicitly.

    Raises:
        SettingError: other machines would have full access without a login, and no setting allows that.
    """
    host = config.HOST
    loopback = host == "localhost" or host.startswith("127.") or host == "::1"
    if config.AUTH == "off" and not loopback and not config.AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK:
        raise SettingError(
            f"AUTH=off with HOST={host}: everybody who reaches it could do everything. Use AUTH=auto, or say so with "
            "AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK=True."
        )


def refuse_half_a_provider(config: "Settings") -> None:
    """Refuse a login provider that cannot work.

    Raises:
        SettingError: it has no client, or its scopes lack OpenID Connect's.
    """
    if config.OIDC_ISSUER and not config.OIDC_CLIENT_ID:
        raise SettingError("OIDC_ISSUER needs OIDC_CLIENT_ID: what the provider knows this server as.")
    if config.OIDC_ISSUER and "openid" not in config.OIDC_SCOPES.split():
        raise SettingError(f"OIDC_SCOPES={config.OIDC_SCOPES!r}: expected openid among them.")


def refuse_lone_storage(config: "Settings") -> None:
    """Refuse an object store without workers, and with eventlet, under which hashing a file blocks every client.

    Raises:
        SettingError: there are no workers, the key is incomplete, or the server mode is eventlet.
    """
    if not config.STORAGE_URL:
        return
    if config.DISPATCH != "rq":
        raise SettingError("STORAGE_URL is for workers on other machines: it needs DISPATCH=rq.")
    if config.SOCKETIO_ASYNC_MODE != "threading":
        raise SettingError(
            "STORAGE_URL needs SOCKETIO_ASYNC_MODE=threading: with eventlet nobody is served while a file is hashed."
        )
    if bool(config.STORAGE_ACCESS_KEY) != bool(config.STORAGE_SECRET_KEY):
        raise SettingError("STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY belong together: set both, or neither.")
