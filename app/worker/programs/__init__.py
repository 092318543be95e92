"""The programs of jobs: one module per kind of work, with `run(channel) -> result`. See app/worker/run.py."""
