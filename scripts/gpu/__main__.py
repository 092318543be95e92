"""`python3 scripts/gpu`: runs the checks, prints the table, exits 0 when all hold."""

import argparse
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]  # a bare python3 finds the platform beside this script

from scripts.gpu import comparison, inference, training  # noqa: E402
from scripts.gpu.evidence import Evidence  # noqa: E402
from scripts.gpu.host import gpu_names, versions  # noqa: E402
from scripts.gpu.kit import FULL, FULL_CPU, TINY, Fails, Kit, Skipped  # noqa: E402

CHECKS: dict[str, Callable[[Kit], str]] = {
    "training": training.train,
    "out of memory": training.out_of_memory,
    "kill and resume": training.killed,
    "precision": training.precision,
    "two slots": training.slots,
    "two GPUs": training.several_gpus,
    "inference": inference.inference,
    "exports": inference.exports,
    "against yolo train": comparison.comparison,
    "in threading mode": training.in_threads,
}
HOLDS, FAILS, SKIPPED = "holds", "fails", "skipped"


@dataclass(frozen=True)
class Row:
    """The outcome of one check."""

    check: str
    result: str
    figure: str
    seconds: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make gpu-check", description="Proves the platform on a GPU.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "gpu-check-output", help="folder; what it holds is removed"
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="until nothing new begins (default: %(default)s)")
    parser.add_argument("--only", default=",".join(CHECKS), help=f"some of: {', '.join(CHECKS)}")
    parser.add_argument("--tiny", action="store_true", help="tiny data, for a quick look without a GPU")
    parser.add_argument("--gpu", type=int, default=0, help="its number in nvidia-smi (default: %(default)s)")
    asked = parser.parse_args()
    asked.only = [name.strip() for name in asked.only.split(",")]
    unknown = set(asked.only) - set(CHECKS)
    if unknown:
        parser.error(f"--only: there is no check {', '.join(sorted(unknown))}")
    return asked


def prepare(folder: Path) -> None:
    """An empty folder, and an environment in which everything else that is written lies below it, too."""
    if folder.exists() and any(folder.iterdir()) and not (folder / ".gpu-check").exists():
        raise SystemExit(f"{folder} is not empty and not of an earlier run: name another folder with --output.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)  # it stays where it is a mount point
    (folder / ".gpu-check").touch()
    for name, place in (("TMPDIR", "tmp"), ("HOME", "home"), ("XDG_CACHE_HOME", "cache"), ("MPLCONFIGDIR", "cache")):
        (folder / place).mkdir(exist_ok=True)
        os.environ[name] = str(folder / place)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # the checkout may be read-only


def run_check(kit: Kit, name: str) -> Row:
    """One check; whatever goes wrong in it is its result."""
    began = time.monotonic()
    try:
        if kit.left() <= 0:
            raise Fails("not begun: the time of the run was over")
        result, figure = HOLDS, CHECKS[name](kit)
    except Skipped as reason:
        result, figure = SKIPPED, str(reason)
    except Fails as reason:
        result, figure = FAILS, str(reason)
    except Exception as error:
        traceback.print_exc()
        result, figure = FAILS, f"{type(error).__name__}: {error}"
    finally:
        for server in kit.servers:
            server.end()
        kit.servers.clear()
    return Row(name, result, figure, round(time.monotonic() - began, 1))


def show(row: Row, width: int) -> None:
    print(f"{row.check:<{width}}  {row.result:<7}  {row.seconds:>6.1f} s  {row.figure}", flush=True)


def main() -> int:
    asked = arguments()
    if asked.device == "cuda" and not gpu_names():
        print("There is no GPU here: nvidia-smi finds none. Without one: --device cpu", file=sys.stderr)
        return 2
    folder = asked.output.resolve()
    prepare(folder)
    scale = TINY if asked.tiny else FULL if asked.device == "cuda" else FULL_CPU
    began = time.monotonic()
    kit = Kit(folder, asked.device, scale, began + 60 * asked.minutes, asked.gpu)
    evidence = Evidence(folder)
    width = max(map(len, asked.only))
    rows = []
    for name in asked.only:
        rows.append(run_check(kit, name))
        show(rows[-1], width)
    results = {
        "device": asked.device,
        "seconds": round(time.monotonic() - began, 1),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
        "checks": [asdict(row) for row in rows],
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    counts = {result: sum(row.result == result for row in rows) for result in (HOLDS, FAILS, SKIPPED)}
    print(", ".join(f"{count} {result}" for result, count in counts.items()), f"in {results['seconds']} s")
    print(f"Written to {folder / 'results.json'}")
    if counts[FAILS]:
        print(f"What is needed to mend it: {evidence.collect(results)}")
    return 1 if counts[FAILS] else 0


if __name__ == "__main__":
    sys.exit(main())
