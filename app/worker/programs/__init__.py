"""The programs of jobs: one module a kind of work, with `run(channel) -> result`. See app/worker/run.py."""
