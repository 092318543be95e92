"""Measuring a few batches of a training: its own trainer with a clock beside it."""
