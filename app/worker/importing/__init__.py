"""The parts of a dataset's import: what arrives, what a revision is made of, and what is said about it."""
