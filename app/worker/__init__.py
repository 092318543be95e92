"""Programs that run as child processes: `python -m app.worker.NAME DIRECTORY`. No module of the web process imports
them.
"""
