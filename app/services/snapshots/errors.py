"""Exceptions of backups of an installation."""


class SnapshotError(Exception):
    """The message explains what happened, and what to do."""
