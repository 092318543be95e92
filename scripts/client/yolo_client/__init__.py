"""A client of the YOLO Training Platform, for Python scripts and the command line."""

from . import answers
from .api import ApiError, Client

__all__ = ["ApiError", "Client", "answers"]
__version__ = "0.1.0"
