"""Errors of the store and its objects."""


class StoreAway(Exception):
    """The store is unavailable or denies access; the message says why."""


class NotStored(Exception):
    """The store has no such object."""


class Corrupted(Exception):
    """An object's bytes are not what was stored."""
