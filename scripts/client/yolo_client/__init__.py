"""A client of the YOLO Training Platform, for Python scripts and the command line."""

from .api import ApiError, Client

__all__ = ["ApiError", "Client"]
__version__ = "0.1.0"
