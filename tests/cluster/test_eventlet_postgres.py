"""A client's query does not block the others: eventlet with PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path

from scripts.local_server import ROOT, settings_for
from tests.postgres import running_postgres

PROGRAM = """
import eventlet
eventlet.monkey_patch()  # as gunicorn's worker does before it imports the application
import json, sys, time
from app import create_app
from app.extensions import db
from sqlalchemy import text

app = create_app("cli", json.loads(sys.argv[1]))
TRIES, QUERIES = 3, 4

def query(seconds):
    with app.app_context():
        db.session.execute(text(f"SELECT pg_sleep({seconds})"))

def beat():
    while True:
        beats.append(time.monotonic())
        eventlet.sleep(0.02)

def run(seconds):
    began = time.monotonic()
    for thread in [eventlet.spawn(query, seconds) for _ in range(QUERIES)]:
        thread.wait()
    return time.monotonic() - began

run(0.1)  # connections are open then
results = []
for _ in range(TRIES):
    beats = []
    heart = eventlet.spawn(beat)
    took = run(1)
    heart.kill()
    results.append((took, max(after - before for before, after in zip(beats, beats[1:]))))
print(json.dumps(results))
"""


def test_four_queries_of_a_second_take_one_second(tmp_path: Path) -> None:
    """Sequentially they take 4 s per try. A busy machine may spoil one of the three."""
    with running_postgres() as address:
        settings = settings_for(tmp_path, SOCKETIO_ASYNC_MODE="eventlet", DATABASE_URL=address)
        answer = subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps(settings)],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr
        results = json.loads(answer.stdout.splitlines()[-1])
    assert min(took for took, _ in results) < 1.5, results
    assert min(pause for _, pause in results) < 0.5, results  # of other greenlets meanwhile
