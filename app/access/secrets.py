"""Creates and hashes secrets, and stores the owner's secret in a file."""

import hashlib
import logging
import os
import re
import secrets
from pathlib import Path

logger = logging.getLogger("yolo.access")

PREFIX = "ytp_"  # lets secret scanners recognize tokens
SHAPE = re.compile(r"ytp_[A-Za-z0-9_-]{43}", re.ASCII)
OWNER_FILE = "owner_token"


def new_secret() -> str:
    """256 random bits: not guessable, so a fast hash suffices."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def owner_secret(instance: Path) -> str:
    """The owner's secret, created at the first start; `instance/owner_token`, mode 0600. Delete the file to
    replace it.
    """
    path = instance / OWNER_FILE
    secret = read_secret(path)
    if secret:
        return secret
    instance.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # damaged
    draft = path.with_name(f"{OWNER_FILE}.{os.getpid()}.tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(new_secret() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # of two servers starting at once, the first wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return read_secret(path) or new_secret()


def read_secret(path: Path) -> str | None:
    """The secret in the file; None: missing or damaged."""
    try:
        text = path.read_bytes().decode("ascii").strip()
    except (OSError, ValueError):
        return None
    return text if SHAPE.fullmatch(text) else None
