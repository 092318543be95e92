"""How the processes of jobs are recognised from outside: by their command, and what they start by its environment; and
how one ends that gives its place to others, or whose program is another one by now."""

import re

MAINS = frozenset({"app.worker.run", "app.worker.train"})  # the second: of a training that an older version started
MARK = "YOLO_WORKER_DIRECTORY"  # the folder of a job's process, in the environment of all that it starts
STARTER = "YOLO_STARTED_BY"  # in the same environment: pid and start time of the process that started it
GATE = "--gate"  # before the number of the pipe at which a job's process waits until its row says which process it is
TAKES_LONG = "takes_long"  # how one fails that others wait for, and whose work takes far longer than it should
# How one fails that looks for a part of this program in vain: it was started by another version, before an upgrade.
PROGRAM_CHANGED = "program_changed"
PART_IS_MISSING = re.compile(r"^(?:ImportError|ModuleNotFoundError): .*?'app(?:\.[\w.]+)?'", re.M)  # in its output
