"""Parses the texts of settings. A parser raises ValueError with the expected form."""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from app.core.roles import Role

_UNITS = {"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


class SettingError(ValueError):
    """A setting has an invalid value; the message names the setting and the accepted values."""


def size(text: str) -> int:
    """Bytes from "500MB", "2 GB" or "1048576" (units of 1024)."""
    match = re.fullmatch(r"\s*(\d+)\s*([KMGT]?B?)\s*", text.upper())
    if not match or match[2] == "B":
        raise ValueError("expected a size such as 500MB")
    unit = match[2] if match[2].endswith("B") or not match[2] else match[2] + "B"
    return int(match[1]) * _UNITS[unit]


def boolean(text: str) -> bool:
    """True or False from the usual words."""
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected True or False")


def positive(text: str) -> int:
    """A positive integer."""
    number = int(text)
    if number < 1:
        raise ValueError("expected a whole number, 1 or more")
    return number


def count(text: str) -> int:
    """An integer from 0."""
    number = int(text)
    if number < 0:
        raise ValueError("expected a whole number, 0 or more")
    return number


def one_word(*words: str) -> Callable[[str], str]:
    """A parser that accepts one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return parse


def worker_name(text: str) -> str:
    """A worker name that is valid as a file name and as a part of a key."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,40}", text):
        raise ValueError("expected at most 40 letters, digits, dots, dashes and underscores")
    return text


def storage_url(text: str) -> str:
    """s3://bucket or s3://bucket/prefix; empty for none."""
    if text and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.-]+)*/?", text):
        raise ValueError("expected s3://bucket/prefix; keys have settings of their own")
    return text.rstrip("/")


def endpoint(text: str) -> str:
    """http(s)://host:port; empty for none."""
    if text and not re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[\w./-]*)?", text):
        raise ValueError("expected an address such as https://minio.example.org:9000, without keys")
    return text.rstrip("/")


def host_names(text: str) -> tuple[str, ...]:
    """Host names in lowercase, from "yolo.example.org, .example.net"; `*` for any."""
    names = [part.strip().lower().removesuffix(".") for part in text.split(",") if part.strip()]
    for name in names:
        if name != "*" and not re.fullmatch(r"\.?[\w-]+(\.[\w-]+)*|[0-9a-f:]+:[0-9a-f:.]*", name):
            raise ValueError("expected names such as yolo.example.org, without scheme and port")
    return tuple(names)


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks, from "127.0.0.1, 10.0.0.0/8, ::1"."""
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("expected addresses or networks such as 127.0.0.1 or 10.0.0.0/8") from error


def rate(text: str) -> str:
    """A rate, from "10 per minute", "10/minute" or "100 per 5 minutes"; empty for no limit."""
    if text.strip() and not re.fullmatch(r"\s*[1-9]\d*\s*(/|per)\s*([1-9]\d*\s+)?(second|minute|hour|day)s?\s*", text):
        raise ValueError("expected a rate such as 10 per minute")
    return text.strip()


def storage_uri(text: str) -> str:
    """memory://, or the address of a Redis."""
    expected = "expected memory:// or an address such as redis://localhost:6379/0"
    if text != "memory://" and not re.match(r"(redis|rediss|redis\+unix)://.", text):
        raise ValueError(expected)
    try:
        _ = urlsplit(text).port  # check the port now, rather than at the first counted request
    except ValueError as error:
        raise ValueError(expected) from error
    return text


def redis_url(text: str) -> str:
    """The address of a Redis; empty for none."""
    return storage_uri(text) if text and text != "memory://" else ""


def issuer(text: str) -> str:
    """The address of an OpenID Connect provider; empty for none. http only on this machine."""
    expected = "expected an address such as https://login.example.org/realms/lab"
    parts = urlsplit(text.strip())
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    fits = parts.scheme == "https" or (parts.scheme == "http" and local)
    fits = fits and len(text) <= 255  # size of its column
    if text.strip() and not (fits and parts.hostname and not parts.query and not parts.fragment and "@" not in text):
        raise ValueError(expected)
    return text.strip()


def people(text: str) -> tuple[str, ...]:
    """Email addresses in lowercase, from "ana@example.org, @example.net"; `*` for everyone."""
    entries = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(entry == "*" or re.fullmatch(r"[^@\s]*@[a-z0-9-]+(\.[a-z0-9-]+)*", entry) for entry in entries):
        raise ValueError("expected e-mail addresses, domains such as @example.org, or *")
    return entries


def claim_roles(text: str) -> tuple[tuple[str, Role], ...]:
    """Values of a claim and their roles, from "lab-admins=admin, lab=trainer"."""
    pairs = [part.strip().rpartition("=") for part in text.split(",") if part.strip()]
    if not all(value.strip() and role.strip() in set(Role) for value, _, role in pairs):
        raise ValueError("expected values with their roles, such as lab-admins=admin, lab=trainer")
    return tuple((value.strip(), Role(role.strip())) for value, _, role in pairs)


def automatic(text: str) -> bool | None:
    """True, False, or None for "auto"."""
    return None if text.strip().lower() == "auto" else boolean(text)


def variable_names(text: str) -> tuple[str, ...]:
    """Names of variables, from "HF_HOME, NCCL_*"."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[A-Za-z_]\w*\*?", name) for name in names):
        raise ValueError("expected names of variables such as HF_HOME or NCCL_*")
    return names


def optional_path(text: str) -> Path | None:
    """A path; None if empty."""
    return Path(text) if text else None


def sqlite_file(uri: str) -> Path | None:
    """The file of a database URI; None: another database, or one in memory."""
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?", uri)
    return Path(match[1]) if match and match[1] != ":memory:" else None


def cors_origins(text: str) -> str | list[str] | None:
    """The value for SOCKETIO_CORS_ALLOWED_ORIGINS: "*", a list of origins, or None for this server's own origin."""
    origins = [part.strip().rstrip("/") for part in text.split(",") if part.strip()]
    return "*" if "*" in origins else origins or None
