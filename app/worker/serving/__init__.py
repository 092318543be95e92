"""Models that answer requests: in memory, on the fastest engine that was proven, images of several requests at once."""
