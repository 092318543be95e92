"""`python3 scripts/gpu`: runs the checks, prints the table, exits 0 if all pass."""

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]  # a bare python3 finds the platform beside this script
sys.dont_write_bytecode = True  # the checkout may be read-only

try:
    from scripts.gpu import comparison, inference, preflight, training
    from scripts.gpu.host import gpu_names
    from scripts.gpu.kit import FULL, FULL_CPU, TINY, Kit
    from scripts.gpu.rows import Checks, Run
except ModuleNotFoundError as error:
    print(f"{sys.executable} has no {error.name}: python3 -m pip install -r requirements.txt", file=sys.stderr)
    sys.exit(2)

CHECKS: Checks = {
    "host": preflight.host,
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
CLOSING_S = 15  # of the run's time: for ending servers and copying logs


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make gpu-check", description="Proves the platform on a GPU.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "gpu-check-output", help="folder; what it holds is removed"
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for all checks together (default: %(default)s)")
    parser.add_argument("--only", default=",".join(CHECKS), help=f"some of: {', '.join(CHECKS)}")
    parser.add_argument("--tiny", action="store_true", help="tiny data, for a quick look without a GPU")
    parser.add_argument("--gpu", type=int, default=0, help="its number in nvidia-smi (default: %(default)s)")
    args = parser.parse_args()
    args.only = [name.strip() for name in args.only.split(",")]
    unknown = set(args.only) - set(CHECKS)
    if unknown:
        parser.error(f"--only: there is no check {', '.join(sorted(unknown))}")
    return args


def prepare(folder: Path) -> None:
    """Create an empty folder, and set the environment so that everything else is written below it, too."""
    if folder.exists() and any(folder.iterdir()) and not (folder / ".gpu-check").exists():
        raise SystemExit(f"{folder} is not empty and not of an earlier run: name another folder with --output.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)  # a mount point cannot be removed
    (folder / ".gpu-check").touch()
    folders = {"TMPDIR": "tmp", "HOME": "home", "XDG_CACHE_HOME": "cache", "MPLCONFIGDIR": "cache"}
    folders |= {"CUDA_CACHE_PATH": "cache/cuda", "TORCHINDUCTOR_CACHE_DIR": "cache/inductor"}
    folders |= {"TRITON_CACHE_DIR": "cache/triton", "XDG_CONFIG_HOME": "home/config"}
    for name, path in folders.items():
        (folder / path).mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder / path)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # so that indices match nvidia-smi's and the platform's


def main() -> int:
    args = arguments()
    names = gpu_names()
    if args.device == "cuda" and args.gpu >= len(names):
        count = f"only {len(names)}" if names else "none"
        print(f"GPU {args.gpu} is not here: nvidia-smi finds {count}. Without a GPU: --device cpu", file=sys.stderr)
        return 2
    began = time.monotonic()
    folder = args.output.resolve()
    prepare(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the servers end, too
    scale = TINY if args.tiny else FULL if args.device == "cuda" else FULL_CPU
    kit = Kit.create(folder, args.device, scale, began + 60 * args.minutes - CLOSING_S, args.gpu)
    return Run(kit, {name: CHECKS[name] for name in args.only}).all()


if __name__ == "__main__":
    sys.exit(main())
