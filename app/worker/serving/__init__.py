"""Serves models from memory, on the fastest verified engine, with the images of several requests in one batch."""
