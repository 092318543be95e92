"""Tells of each piece of data that a library takes: so that hours of work on a loaded machine are seen to get on."""

from collections.abc import Callable, Iterator
from typing import Any


class Followed:
    """A sequence or a data loader, with a call for each item that is taken out of it.

    Args:
        step: what it raises ends whatever takes the item.
    """

    def __init__(self, items: Any, step: Callable[[], None]) -> None:
        self.items, self.step = items, step

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            self.step()
            yield item

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # it is iterated, whatever else its items can do
            raise AttributeError(name)
        return getattr(self.items, name)
