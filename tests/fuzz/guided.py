"""atheris on one target: `python -m tests.fuzz.guided TARGET FOLDER SECONDS`. It exits with 1 after a failure.

atheris tracks which branches an input reaches, and mutates inputs that reach new ones.
"""

import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["app.worker", "app.core", "zipfile", "json", "csv", "xml", "defusedxml", "yaml"]
):
    from app.worker import formats
    from tests.fuzz.targets import MOST_BYTES, TARGETS, seeds

    for _, module, _ in pkgutil.walk_packages(formats.__path__, f"{formats.__name__}."):
        import_module(module)  # otherwise they are imported when a dataset needs them: too late to be instrumented

SLOW_S = 10  # for one input: longer is a time-out


def main(target: str, folder: Path, seconds: int) -> None:
    corpus = folder / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds()[target]):
        (corpus / f"seed-{number}").write_bytes(data)
    options = (f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-timeout={SLOW_S}", "-rss_limit_mb=2048")
    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={folder}/{target}-", "-print_final_stats=1", str(corpus)],
        TARGETS[target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
