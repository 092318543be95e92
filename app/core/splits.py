"""The splits of a dataset, in order."""

SPLITS = ("train", "val", "test")
