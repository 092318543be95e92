"""The ways in which a check ends without passing."""


class Fails(Exception):
    """A check failed; the message says what was observed."""


class Skipped(Exception):
    """The host, or this version, lacks what the check needs; the message says what."""


class OutOfTime(Exception):
    """The time of the whole run has expired; the check is inconclusive."""


def require(holds: object, message: str) -> None:
    """Fail a check unless the condition holds.

    Raises:
        Fails: it does not hold.
    """
    if not holds:
        raise Fails(message)
