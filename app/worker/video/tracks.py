"""Tracks objects through a video: ByteTrack, as ultralytics has it."""

from typing import Any

LOWEST = 0.1  # confidence of a detection that can continue a track, ultralytics' default
BUFFER = 30  # frames for which an object may be hidden


def floor_for(least: float) -> float:
    """The confidence with which the model must be run."""
    return min(LOWEST, least / 2)


class Tracks:
    """The ids of one video.

    Args:
        least: confidence with which a detection can start a track.
    """

    def __init__(self, least: float) -> None:
        from ultralytics.trackers.byte_tracker import BYTETracker
        from ultralytics.utils import IterableSimpleNamespace

        # match_thresh, fuse_score: of bytetrack.yaml
        self.tracker = BYTETracker(
            IterableSimpleNamespace(
                tracker_type="bytetrack",
                track_high_thresh=least,
                track_low_thresh=floor_for(least),
                new_track_thresh=least,
                track_buffer=BUFFER,
                match_thresh=0.8,
                fuse_score=True,
            )
        )

    def ids(self, result: Any) -> list[int | None]:
        """For each detection of a result, in order; None: not tracked across frames."""
        boxes = (result.obb if result.obb is not None else result.boxes).cpu().numpy()
        ids: list[int | None] = [None] * len(boxes)
        for row in self.tracker.update(boxes, None):
            ids[int(row[-1])] = int(row[-4])
        return ids


class NoTracks:
    """No ids: there are no objects, or tracking was not requested."""

    def ids(self, result: Any) -> list[int | None]:
        boxes = result.obb if result.obb is not None else result.boxes
        return [None] * (0 if boxes is None else len(boxes))
