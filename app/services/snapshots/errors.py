"""Exceptions of backups of an installation."""


class SnapshotError(Exception):
    """A backup or restore failed; the message says why, and what to do."""
