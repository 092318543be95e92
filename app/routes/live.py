"""The inlet of Socket.IO: joining and leaving rooms, with a snapshot on joining."""


def register() -> None:
    """Skeleton."""
