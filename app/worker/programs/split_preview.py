"""Previews a new split.

spec.json: see `SplitSpec`. The result: see `assign.counted`. Refused code: `damaged`. Without NumPy, since a
request waits for it.
"""

import gzip
import zlib
from pathlib import Path

from app.core.programs import SplitResult, SplitSpec
from app.worker.assign import Material, assign, counted
from app.worker.channel import Channel
from app.worker.failures import InvalidInput
from app.worker.split import SplitShares


def run(channel: Channel) -> SplitResult:
    """Count the images of a new split.

    Raises:
        InvalidInput: the data stored by the import is damaged.
    """
    spec = SplitSpec.of(channel.spec)
    shares = SplitShares(**spec.split) if spec.split else None
    try:
        material = Material.load(Path(spec.revision))
        return counted(material, assign(material, shares))
    except gzip.BadGzipFile as error:
        raise InvalidInput("damaged") from error
    except (ValueError, KeyError, TypeError, EOFError, IndexError, AttributeError, zlib.error) as error:
        raise InvalidInput("damaged") from error
