"""Exceptions of copying tables."""


class TransferError(Exception):
    """The copy was refused or rolled back; the message says why, and what to do."""
