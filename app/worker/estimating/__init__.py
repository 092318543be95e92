"""Measures a few batches of a training with the training's own trainer."""
