"""What can be wrong with a store, or with what it has."""


class StoreAway(Exception):
    """The store does not answer, or does not let us in; the message says why."""


class NotStored(Exception):
    """The store has no such object."""


class Corrupted(Exception):
    """The store's object is not what was stored."""
