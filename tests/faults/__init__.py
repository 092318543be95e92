"""What breaks in normal life, tried on the real server and real small trainings. `make faults` runs every row."""
