"""Converting trained weights for other runtimes, and proving the result."""
