"""Exceptions of copying tables."""


class TransferError(Exception):
    """The copy was refused or aborted, and nothing of it stays; the message explains why, and what to do."""
