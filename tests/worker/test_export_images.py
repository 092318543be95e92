"""The images that exports are verified on and calibrated with."""

from pathlib import Path

import yaml

from app.worker.exporting.images import sample_split
from tests.data import image_bytes


def test_a_classification_preserves_its_classes(tmp_path: Path) -> None:
    """Without a folder `train`, ultralytics would split the images, and take the split's name for their class."""
    from ultralytics.data.utils import check_cls_dataset

    data = tmp_path / "dataset"
    for split, count in (("train", 2), ("val", 3)):
        for name in ("cat", "dog"):
            folder = data / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.jpg").write_bytes(image_bytes())
    described = {"path": str(data), "train": "images/train", "val": "images/val", "names": {0: "cat", 1: "dog"}}
    (data / "dataset.yaml").write_text(yaml.safe_dump(described))
    for split, count in (("val", 6), ("train", 4)):
        target = tmp_path / split
        sample, images = sample_split(data / "dataset.yaml", split, 1000, target)
        assert (sample, images) == (target / "dataset.yaml", count)
        checked = check_cls_dataset(target / "images", split)
        assert sorted(checked["names"].values()) == ["cat", "dog"]
        assert len(list(Path(checked[split]).rglob("*.jpg"))) == count
