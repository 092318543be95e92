"""Checks the Host header against DNS rebinding: another site could point its own name at this server, and the browser
would then let its scripts read and change everything here.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from apiflask import APIFlask
from flask_babel import gettext

from app.config import settings
from app.errors import WrongHost

WILDCARDS = {"0.0.0.0", "::", ""}  # noqa: S104 (compared with, not bound to)
# a name or an address, and perhaps a port
AUTHORITY = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\[\]:/@\s,]+))(?::\d{1,5})?", re.IGNORECASE)


class AllowedHosts:
    """Loopback names and addresses, the server's own address, and ALLOWED_HOSTS.

    Args:
        listens_on: HOST. If that is every interface, the machine's own name and any address are allowed too: a browser
            sends an address only if the page's address has it, so no DNS name is involved.
        names: ALLOWED_HOSTS: names; `.example.org` for the name and its subdomains, `*` for any.
    """

    def __init__(self, listens_on: str, names: tuple[str, ...]) -> None:
        self.names = {name for name in names if not name.startswith(".")} | {"localhost", listens_on.lower()}
        self.domains = (".localhost", *(name for name in names if name.startswith(".")))
        self.everywhere = listens_on in WILDCARDS
        hostname = socket.gethostname().lower()
        short = hostname.partition(".")[0]
        self.machine_names = {hostname, short, f"{short}.local"}

    def allows(self, host: str | None, bound_to: str) -> bool:
        """Whether a request with this Host is for this server.

        Args:
            host: the header; None or empty: a script or a probe, since browsers always send it.
            bound_to: the listener's address, for servers that were started without HOST.
        """
        if not host or "*" in self.names:
            return True
        match = AUTHORITY.fullmatch(host)
        if match is None:
            return False
        name = (match["address"] or match["name"]).lower().removesuffix(".")
        everywhere = self.everywhere or bound_to in WILDCARDS
        address = address_of(name)
        if address is not None:
            return everywhere or address.is_loopback or name in self.names
        allowed = name in self.names or f".{name}".endswith(self.domains)
        return allowed or (everywhere and name in self.machine_names)


def address_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address in a host name; None: it is a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def init_app(app: APIFlask) -> None:
    """Refuse requests for other hosts, before anything else: pages, API, static files and the socket."""
    allowed = AllowedHosts(settings(app).HOST, settings(app).ALLOWED_HOSTS)
    inner = app.wsgi_app

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST")
        if allowed.allows(host, environ.get("SERVER_NAME", "")):
            return inner(environ, start_response)
        with app.request_context(environ | {"HTTP_HOST": "localhost"}):
            refusal = WrongHost(
                gettext(
                    "This server doesn't answer to the name %(name)s. Open it by an allowed name, or add this one to "
                    "ALLOWED_HOSTS.",
                    name=str(host)[:100],
                )
            )
            response = app.process_response(app.make_response(app.handle_user_exception(refusal)))
            return response(environ, start_response)

    app.wsgi_app = guarded  # type: ignore[method-assign]
