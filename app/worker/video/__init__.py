"""Predictions on a video: an annotated video and a list of detections."""
