"""The cache of loaded models."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from app.core.predict import RunsOn
from app.worker.serving.engines import BadExport, BadModel, Engine, Export, OpenVinoEngine, Stamp, stamp_of

Key = tuple[str, str, Stamp]  # path of the weights, name of the engine, stamp of the files that it runs


class Models:
    """Loaded models, least recently used first.

    Args:
        count: maximum number of loaded models.
        device: for all of them.
    """

    def __init__(self, count: int, device: str) -> None:
        self.count, self.device = max(1, count), device
        self.engines: OrderedDict[Key, Engine] = OrderedDict()
        self.bad: dict[tuple[str, Stamp], str] = {}  # unusable exports, and the reason

    def get(self, path: str, export: Export | None = None) -> tuple[Engine, str | None]:
        """The engine for these weights, and the reason why it is not the named export.

        Raises:
            BadModel: the weights are unusable.
        """
        try:
            stamp = stamp_of(Path(path))
        except OSError as error:
            raise BadModel(str(error)) from error
        if export is None or self.device != "cpu":
            return self._loaded((path, Engine.name, stamp), lambda: Engine(path, self.device)), None
        try:
            return self._exported(path, stamp, export), None
        except BadExport as error:
            return self.get(path)[0], error.code

    def _exported(self, path: str, stamp: Stamp, export: Export) -> Engine:
        mark = (export.folder, export.stamp)
        if mark in self.bad:
            raise BadExport(self.bad[mark])
        try:
            name = f"{OpenVinoEngine.name} {export.precision}"
            return self._loaded((path, name, stamp + export.stamp), lambda: OpenVinoEngine(export))
        except BadExport as error:
            print(f"the export in {export.folder} is not used: {error}", flush=True)
            self.bad[mark] = error.code
            raise

    def _loaded(self, key: Key, load: Callable[[], Engine]) -> Engine:
        if key not in self.engines:
            older = [old for old in self.engines if old[:2] == key[:2]]
            for old in older:
                del self.engines[old]
            while len(self.engines) >= self.count:
                self.engines.popitem(last=False)
            self.engines[key] = load()
        self.engines.move_to_end(key)
        return self.engines[key]

    def names(self) -> dict[str, list[str]]:
        """The class names of each, by the path of its weights."""
        return {key[0]: list(engine.names.values()) for key, engine in self.engines.items()}

    def about(self) -> RunsOn:
        """The device, and whether in half precision."""
        return {"device": self.device, "half": self.device != "cpu"}
