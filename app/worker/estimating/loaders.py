"""Data loaders that end earlier or later than those of a training."""

import time
from collections.abc import Iterator
from typing import Any


class Few:
    """A loader that ends after a while, but not before its second batch."""

    def __init__(self, loader: Any, seconds: float) -> None:
        self.loader, self.seconds = loader, seconds
        self.dataset = loader.dataset

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        began = time.monotonic()
        for number, batch in enumerate(self.loader, 1):
            yield batch
            if number >= 2 and time.monotonic() - began > self.seconds:
                return


class Endless:
    """The training's loader without epoch ends, so that mosaic can be switched off at any batch.

    ultralytics' loader must not be reset during iteration: its iterator would disappear, and the loop fail.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.renewed = False

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield from self.until_renewed()
            self.renewed = False

    def until_renewed(self) -> Iterator[Any]:
        for batch in self.loader:
            yield batch
            if self.renewed:
                break
        if self.renewed:
            self.loader.reset()

    def renew(self) -> None:
        """Discard prefetched batches: the next one is loaded with the present augmentation."""
        self.renewed = True
