"""Many images that a model is tried on."""
