"""Trusts forwarded headers only from the proxies in TRUSTED_PROXIES.

Werkzeug's ProxyFix trusts the last N entries, whoever sends them; here, the sender's address decides.
"""

import logging
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from apiflask import APIFlask

from app.config import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

logger = logging.getLogger("yolo.access")

SCHEMES = {"http", "https"}
MOST_WARNED = 20


def entry_address(text: str) -> Address | None:
    """The address of an entry such as `192.0.2.7`, `192.0.2.7:4711` or `[2001:db8::1]:4711`; None: invalid."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def entries(environ: WSGIEnvironment, name: str) -> list[str]:
    return [part.strip() for part in environ.get(name, "").split(",") if part.strip()]


class TrustedProxies:
    """A WSGI middleware that sets scheme, host and address from a trusted proxy's headers.

    Headers of other senders, and invalid values, are ignored.

    Args:
        inner: the application.
        networks: of the proxies.
    """

    def __init__(self, inner: Callable[..., Any], networks: Iterable[Network]) -> None:
        self.inner, self.networks = inner, tuple(networks)
        self.warned: set[str] = set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR") or ""
        if self.trusts(entry_address(peer)):
            environ = environ | self.forwarded(environ)
        elif "HTTP_X_FORWARDED_FOR" in environ:
            self.warn(peer)
        return self.inner(environ, start_response)

    def warn(self, peer: str) -> None:
        """Log an untrusted sender once per address, and only a few: strangers may send the header too."""
        if peer in self.warned or len(self.warned) >= MOST_WARNED:
            return
        self.warned.add(peer)
        logger.warning(
            "%s sends X-Forwarded-For and is not in TRUSTED_PROXIES: the header is not believed. If it is your proxy, "
            "all that come through it count as one address, and are not known to use https.",
            peer,
        )

    def trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)

    def forwarded(self, environ: WSGIEnvironment) -> dict[str, str]:
        """The changed variables: REMOTE_ADDR, wsgi.url_scheme and HTTP_HOST."""
        client, proxies = self.client(entries(environ, "HTTP_X_FORWARDED_FOR"))
        changed = {"REMOTE_ADDR": str(client)} if client else {}
        scheme = outermost(entries(environ, "HTTP_X_FORWARDED_PROTO"), proxies).lower()
        if scheme in SCHEMES:
            changed["wsgi.url_scheme"] = scheme
        if host := outermost(entries(environ, "HTTP_X_FORWARDED_HOST"), proxies):
            changed["HTTP_HOST"] = host  # checked by hosts.py like any other
        return changed

    def client(self, sent: list[str]) -> tuple[Address | None, int]:
        """The last address that is not a trusted proxy's, and the number of trusted proxies between it and us.

        Entries before it were written by the client itself, or by unknown proxies.
        """
        client, proxies = None, 1
        for text in reversed(sent):
            address = entry_address(text)
            if address is None:
                break
            client = address
            if not self.trusts(address):
                break
            proxies += 1
        return client, proxies


def outermost(values: list[str], proxies: int) -> str:
    """The entry of the trusted proxy next to the client: each proxy appends a value on the right, or passes the header
    on.
    """
    return values[-min(proxies, len(values))] if values else ""


def init_app(app: APIFlask) -> None:
    """Wrap everything that reads host, scheme or address."""
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings(app).TRUSTED_PROXIES)  # type: ignore[method-assign]
