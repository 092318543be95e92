"""Fuzz tests: short in `make test`, longer by `make fuzz`."""
