"""What is fed with anything: short in `make test`, longer by `make fuzz`."""
