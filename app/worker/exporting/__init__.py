"""Converts trained weights for other runtimes, and verifies the result."""
