"""Non-maximum suppression without ultralytics' time limit."""

from functools import partial

LIMIT_S = 24 * 3600.0  # an image; the supervisor ends what hangs


def suppress_every_image() -> None:
    """Suppress each image of a batch, however long that takes; once in every process that predicts.

    By default 2 s and 50 ms an image are all that a batch gets, and the images behind that have no detections: on a
    machine that others use, too, metrics and detections depended on its load.
    """
    from ultralytics.utils import nms

    if not isinstance(nms.non_max_suppression, partial):
        nms.non_max_suppression = partial(nms.non_max_suppression, max_time_img=LIMIT_S)
