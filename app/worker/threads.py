"""How threads of OpenMP wait for work; without torch: it is read when that is imported."""

import os

POLICY = "OMP_WAIT_POLICY"


def rest_when_idle() -> None:
    """Have threads sleep between two pieces of work instead of spinning; one that the administrator set stays.

    For work that shares its cores with a loader of images, which spinning threads would take the time from. To be
    called before torch is imported.
    """
    os.environ.setdefault(POLICY, "PASSIVE")
