"""Non-maximum suppression without ultralytics' time limit."""

from functools import partial

LIMIT_S = 24 * 3600.0  # per image; the supervisor ends hung processes


def suppress_every_image() -> None:
    """Process each image of a batch, however long that takes; once in every process that predicts.

    By default a batch gets 2 s plus 50 ms per image, and the remaining images get no detections: on a shared machine,
    metrics and detections would depend on its load.
    """
    from ultralytics.utils import nms

    if not isinstance(nms.non_max_suppression, partial):
        nms.non_max_suppression = partial(nms.non_max_suppression, max_time_img=LIMIT_S)
