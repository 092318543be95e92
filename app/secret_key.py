"""The key that signs cookies."""

import fcntl
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("yolo.config")


def secret_key(instance: Path) -> str:
    """This installation's own key, created at the first start; `instance/secret_key`, mode 0600."""
    instance.mkdir(parents=True, exist_ok=True)
    path = instance / "secret_key"
    with locked(instance):
        return stored_key(path) or new_key(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Allows one process at a time: of two that find a damaged key, the second would otherwise replace the first one's
    new key.

    On a file system without locks, the first key still wins, but a damaged one may be replaced twice.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            logger.warning("%s could not be locked: %s", folder, error)
        yield
    finally:
        os.close(handle)


def new_key(path: Path) -> str:
    """A new key, synced to the disk before its use; another process's key, if that was first."""
    key, draft = secrets.token_hex(32), path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return stored_key(path) or key
    finally:
        draft.unlink()
    return key


def stored_key(path: Path) -> str | None:
    """The key in the file; None if it is missing or damaged: a damaged file is set aside, and cookies become
    invalid.
    """
    try:
        key = path.read_bytes().decode("ascii").strip()
        if key and key.isprintable():
            return key
    except FileNotFoundError:
        return None
    except ValueError:
        pass
    aside = path.with_name(f"{path.name}-{secrets.token_hex(4)}.damaged")
    try:
        os.replace(path, aside)
    except FileNotFoundError:  # without locks: another starting process did it
        return None
    logger.error("%s is damaged: set aside as %s", path, aside.name)
    return None
