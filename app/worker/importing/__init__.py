"""The parts of a dataset's import: incoming files, the version's entries, and the outcome."""
