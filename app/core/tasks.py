"""The tasks of YOLO."""

TASKS = ("detect", "segment", "pose", "obb", "classify")
LOCALIZED = TASKS[:4]  # whose labels have places in the image
