"""Marks by which the processes of jobs, and their descendants, are identified from outside; and failure codes that both
sides know.
"""

import re

MAINS = frozenset({"app.worker.run", "app.worker.train"})  # the second: a training that an older version started
MARK = "YOLO_WORKER_DIRECTORY"  # environment variable with the folder of a job's process; inherited by its descendants
STARTER = "YOLO_STARTED_BY"  # environment variable with the pid and start time of the process that started it
GATE = "--gate"  # option with the pipe on which a job's process waits until its row names it
TAKES_LONG = "takes_long"  # failure of a slow job that others wait for
# Failure of a child that cannot import a module of this program: an upgrade has replaced the version that started it.
PROGRAM_CHANGED = "program_changed"
PART_IS_MISSING = re.compile(r"^(?:ImportError|ModuleNotFoundError): .*?'app(?:\.[\w.]+)?'", re.M)  # in its output
