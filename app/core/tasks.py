"""The tasks of YOLO."""

TASKS = ("detect", "segment", "pose", "obb", "classify")
PLACED = TASKS[:4]  # whose labels have places in the image
