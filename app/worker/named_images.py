"""A classification dataset with the file name of each image."""

from typing import Any

from ultralytics.data.dataset import ClassificationDataset


class NamedImages(ClassificationDataset):
    """Adds the file of each image, as the datasets of boxes do: a classification is validated in random order."""

    def __getitem__(self, i: int) -> dict[str, Any]:
        return super().__getitem__(i) | {"im_file": str(self.samples[i][0])}
