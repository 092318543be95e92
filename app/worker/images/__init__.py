"""Predictions on many images."""
