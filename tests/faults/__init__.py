"""Common faults, tried on the real server and real small trainings. `make faults` runs every row."""
