"""The client from this repository: `from scripts.client import Client`, without installing it."""

from scripts.client.yolo_client import ApiError, Client

__all__ = ["ApiError", "Client"]
