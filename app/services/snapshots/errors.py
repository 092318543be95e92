"""Exceptions of backups of an installation."""


class SnapshotError(Exception):
    """The message says what happened, and what to do."""
