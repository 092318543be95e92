"""The texts of a finding's code, and sentences that several share."""

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

SKIPS_IMAGE = _l("YOLO skips the image.")
USES_IT = _l("YOLO uses the image.")


@dataclass(frozen=True)
class FindingText:
    """The texts of a code; `fix` is None if there is none."""

    title: Any
    message: Any
    effect: Any
    fix: Any = None
