"""Why a backup of an installation is not made, or not restored."""


class SnapshotError(Exception):
    """The message says what happened, and what to do."""
