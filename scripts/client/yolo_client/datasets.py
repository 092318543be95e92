"""The client's commands for datasets and their revisions."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import Revision

if TYPE_CHECKING:
    from .api import Client

COMMANDS = {
    "import": "import a server folder below IMPORT_ROOT",
    "folders": "list the folders that can be imported",
    "edit-dataset": "change the name or the description of a dataset",
    "revisions": "list the versions of a dataset, newest first",
    "revise": "create another version: other classes, split, root or task",
    "use-revision": "make a previous version the current one",
    "original": "save the original upload",
    "export": "save a version as a ZIP",
}
POLL_S = 0.2


def add_commands(commands: Any) -> None:
    """Define the commands' arguments."""
    parsers = {name: commands.add_parser(name, help=text) for name, text in COMMANDS.items()}
    parsers["folders"].add_argument("path", nargs="?", default="")
    parsers["import"].add_argument("path")
    parsers["import"].add_argument("--name", required=True)
    for name in ("import", "revise"):
        if name == "revise":
            parsers[name].add_argument("dataset_id", type=int)
        add_options(parsers[name])
    parsers["revise"].add_argument("--fix", dest="fixes", action="append", metavar="CODE", help="issues to fix, or all")
    for name in ("edit-dataset", "revisions", "use-revision", "original", "export"):
        parsers[name].add_argument("dataset_id", type=int)
    parsers["use-revision"].add_argument("number", type=int)
    parsers["edit-dataset"].add_argument("--name")
    parsers["edit-dataset"].add_argument("--description")
    parsers["export"].add_argument("--format", choices=("yolo", "coco", "voc"), default="yolo")
    parsers["export"].add_argument("--revision", type=int)
    for name in ("original", "export"):
        parsers[name].add_argument("file", type=Path)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Define a dataset's options."""
    parser.add_argument("--root", help="folder with the dataset")
    parser.add_argument(
        "--merge", action="store_true", default=None, help="merge all datasets, classes matched by name"
    )
    parser.add_argument("--classes", dest="names", type=lambda text: text.split(","), help="names, comma separated")
    parser.add_argument(
        "--rename", action="append", type=pair, metavar="OLD=NEW", help="classes with the same name are merged"
    )
    parser.add_argument("--split", type=shares, metavar="TRAIN/VAL/TEST[/SEED]", help="new split, such as 80/15/5")
    parser.add_argument(
        "--reading",
        action="append",
        metavar="NAME",
        help="what numbers or texts mean, such as corners",
    )
    parser.add_argument("--task", choices=("auto", "detect", "segment", "pose", "obb", "classify"))


def pair(text: str) -> tuple[str, str]:
    old, separator, new = text.partition("=")
    if not (old and separator and new):
        raise argparse.ArgumentTypeError("expected OLD=NEW")
    return old, new


def shares(text: str) -> dict[str, float]:
    parts = text.split("/")
    try:
        return dict(zip(("train", "val", "test", "seed"), map(int, parts), strict=len(parts) == 4))
    except ValueError:
        raise argparse.ArgumentTypeError("expected whole numbers such as 80/15/5") from None


def options(args: argparse.Namespace) -> dict[str, object]:
    """The options that were given."""
    chosen = {name: getattr(args, name) for name in ("root", "merge", "names", "rename", "split", "task", "reading")}
    chosen["rename"] = dict(chosen["rename"]) if chosen["rename"] else None
    fixes = getattr(args, "fixes", None)
    chosen["fixes"] = "all" if fixes and "all" in fixes else fixes
    return {name: value for name, value in chosen.items() if value is not None}


def run(client: "Client", args: argparse.Namespace) -> Any:
    """Carry out one of COMMANDS; returns its response."""
    path = f"/api/datasets/{getattr(args, 'dataset_id', '')}"
    match args.command:
        case "folders":
            return client.request("GET", "/api/datasets/import", params={"path": args.path}).json()
        case "import":
            body = {"path": args.path, "name": args.name} | options(args)
            created = client.request("POST", "/api/datasets/import", json=body).json()
            return client.wait_until_valid(created["dataset_id"])
        case "edit-dataset":
            changes = {key: getattr(args, key) for key in ("name", "description") if getattr(args, key) is not None}
            return client.edit_dataset(args.dataset_id, **changes)
        case "revisions":
            return client.request("GET", f"{path}/revisions").json()["revisions"]
        case "revise":
            created = client.request("POST", f"{path}/revisions", json=options(args)).json()
            return wait_for_revision(client, args.dataset_id, created["revision"])
        case "use-revision":
            return client.request("POST", f"{path}/revisions/{args.number}/use").json()
        case "original":
            return {"file": str(client.download(f"{path}/original", args.file))}
    query = f"format={args.format}" + (f"&revision={args.revision}" if args.revision else "")
    return {"file": str(client.export(f"{path}/export?{query}", args.file))}


def wait_for_revision(client: "Client", dataset_id: int, number: int, seconds: float = 3600) -> Revision:
    """Wait until a revision is ready or has failed; returns it.

    Raises:
        TimeoutError: the time has expired.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rows = client.request("GET", f"/api/datasets/{dataset_id}/revisions").json()["revisions"]
        row = next(row for row in rows if row["number"] == number)
        if row["status"] != "building":
            return row
        time.sleep(POLL_S)
    raise TimeoutError(f"Version {number} was not ready within {seconds:.0f} s.")


def printed(value: Any) -> list[str]:
    """JSON, one value per line."""
    return [json.dumps(item, ensure_ascii=False) for item in (value if isinstance(value, list) else [value])]
