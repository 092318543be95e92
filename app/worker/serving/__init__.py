"""Serves models from memory, on the fastest verified engine, batching the images of concurrent requests."""
