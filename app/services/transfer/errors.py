"""Exceptions of copying tables."""


class TransferError(Exception):
    """The copy was refused or given up, and nothing of it stays; the message says why, and what to do."""
