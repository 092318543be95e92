"""Counts what fixes would remove from labels, before they are applied."""

from collections import Counter

from app.worker.quality.fixable import FIXABLE, is_fixable
from app.worker.quality.labels import Labels, Rules
from app.worker.quality.repair import TAKING, repair


class Costs:
    """Rows that a fix removes, and images that it excludes, by its code, and for all fixes together ("all").

    Args:
        task: of the dataset; None: unknown.
    """

    def __init__(self, rules: Rules, task: str | None) -> None:
        self.rules, self.task = rules, task or "detect"
        self.by_code: dict[str, Counter[str]] = {}

    def add(self, raw: bytes, labels: Labels) -> None:
        """Count what one label file would lose."""
        codes = {item["code"] for item in labels.findings if is_fixable(item)} & TAKING
        for name in [*codes, "all"] if codes else ():
            repaired = repair(raw, self.rules, FIXABLE if name == "all" else {name}, self.task)
            if repaired and repaired.dropped:
                self.by_code.setdefault(name, Counter()).update(rows=repaired.dropped, images=int(repaired.emptied))
