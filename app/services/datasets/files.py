"""Downloads of a dataset: the original upload."""

from pathlib import Path

from flask_babel import gettext as _

from app.errors import NotFound
from app.services.datasets.store import DatasetStore


class DatasetFiles:
    """Finds files for download."""

    def __init__(self, store: DatasetStore) -> None:
        self.store = store

    def original(self, dataset_id: int) -> tuple[Path, str]:
        """The upload and its original name.

        Raises:
            NotFound: there is no such dataset, or it was not uploaded.
        """
        dataset = self.store.get(dataset_id)
        path = self.store.storage.original(dataset_id)
        if not path.is_file():
            raise NotFound(
                _(
                    "The original upload isn't available: the dataset wasn't uploaded as a ZIP, or it "
                    "comes from an older version."
                )
            )
        uploaded = dataset.report.get("original")
        return path, (uploaded and uploaded["name"]) or f"dataset-{dataset_id}.zip"
