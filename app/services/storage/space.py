"""The error for a full disk."""

from flask_babel import gettext as _

from app.errors import NoSpace
from app.texts import size


def no_space(free: int, needed: int, reserved: int) -> NoSpace:
    """The error for what would leave less than `reserved` free bytes on the disk."""
    return NoSpace(
        _(
            "The disk has %(free_size)s free; this operation needs %(needed_size)s, and "
            "%(kept_size)s must stay free (MIN_FREE_DISK). Free some space and try again.",
            free_size=size(free),
            needed_size=size(needed),
            kept_size=size(reserved),
        )
    )
