"""Programs that run as child processes: `python -m app.worker.NAME DIRECTORY`. Nothing of the app imports them."""
