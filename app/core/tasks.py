"""The tasks of YOLO."""

TASKS = ("detect", "segment", "pose", "obb", "classify")
LOCALIZED = TASKS[:4]  # tasks whose labels have coordinates
