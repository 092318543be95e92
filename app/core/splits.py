"""The sets of a dataset, in their order."""

SPLITS = ("train", "val", "test")
