"""The owner's login from another machine, by a printed link."""

import logging
import sys

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from app.access import secrets
from app.access.identify import AUTO, OFF, access_of
from app.access.secrets import OWNER_FILE
from app.config import Settings
from app.database import writing
from app.hosts import WILDCARDS
from app.models import LoginSession
from app.services.accounts.invitations import Invitations

logger = logging.getLogger("yolo.access")

FROM_ELSEWHERE = "  From another machine: this one's name or IP address in place of localhost.\n"
BY_PROXY = "  Through a proxy or a tunnel: its address in place of %s.\n"


class OwnerLogin:
    def __init__(self, invitations: Invitations) -> None:
        self.invitations = invitations

    def announce(self, config: Settings) -> None:
        """Create the owner's secret, and print a login link if one is needed. Never to the log, since the link gives
        full access.
        """
        if config.AUTH == OFF:
            return
        fresh = secrets.read_secret(config.INSTANCE_PATH / OWNER_FILE) is None
        _digest = access_of().owner_digest
        if fresh:
            self.end_sessions()
        if config.AUTH == AUTO and config.HOST not in WILDCARDS and is_loopback(config.HOST):
            return
        print(self.announcement(config), file=sys.stderr, flush=True)

    def end_sessions(self) -> None:
        """End the owner's sessions after a change of the secret."""
        owners = delete(LoginSession).where(LoginSession.account_id.is_(None), LoginSession.token_id.is_(None))
        try:
            with writing() as session:
                session.execute(owners)
        except SQLAlchemyError as error:  # writes are not allowed now
            logger.warning("sessions of the owner's former secret could not be ended: %s", error)

    def announcement(self, config: Settings) -> str:
        try:
            text = f"\n  Log in (once, within 15 minutes): {self.link(config)}\n"
        except SQLAlchemyError:  # writes are not allowed now
            return f"\n  Log in with the token in {config.INSTANCE_PATH / OWNER_FILE}\n"
        return text + from_elsewhere(config)

    def link(self, config: Settings) -> str:
        """The login link for a browser on this machine; for another one see `from_elsewhere`."""
        return f"{origin(config)}/login#link={self.invitations.for_owner()}"


def origin(config: Settings) -> str:
    """The server's origin for a browser on this machine."""
    host = "localhost" if config.HOST in WILDCARDS else config.HOST
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{config.PORT}"


def from_elsewhere(config: Settings) -> str:
    """The hint for opening a link on another machine; empty if the link itself works there."""
    if config.HOST in WILDCARDS:
        return FROM_ELSEWHERE
    return BY_PROXY % origin(config) if is_loopback(config.HOST) else ""


def is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
