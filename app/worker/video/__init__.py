"""A video in, an annotated video and a list of detections out."""
