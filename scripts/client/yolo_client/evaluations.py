"""The client's commands for evaluations."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Client

COMMANDS = ("evaluate", "evaluations")
SHOWN = ("id", "status", "split", "checkpoint", "dataset_id", "images", "objects", "metrics")
OPTIONS = ("dataset_id", "revision", "checkpoint", "img_size", "classes")


def checkpoint(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def add_commands(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="evaluate the weights of a run and wait for the metrics")
    evaluate.add_argument("training_id", type=int)
    evaluate.add_argument("--split", choices=("val", "test", "train"), default="val")
    evaluate.add_argument("--dataset", type=int, dest="dataset_id", help="another dataset than the run's")
    evaluate.add_argument("--revision", type=int, help="version of the dataset")
    evaluate.add_argument("--checkpoint", type=checkpoint, help="best (default), last or an epoch number")
    evaluate.add_argument("--img-size", type=int)
    evaluate.add_argument("--classes", type=json.loads, metavar="JSON", help='such as {"auto": "car", "sky": null}')
    listed = commands.add_parser("evaluations", help="list the evaluations of a run")
    listed.add_argument("training_id", type=int)


def run(client: "Client", asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Carry out one of COMMANDS; what it shows."""
    if asked.command == "evaluations":
        return [{name: found[name] for name in SHOWN} for found in client.evaluations(asked.training_id)]
    options = {name: getattr(asked, name) for name in OPTIONS if getattr(asked, name) is not None}
    found = client.wait_for_evaluation(client.evaluate(asked.training_id, asked.split, **options))
    return [{name: found[name] for name in (*SHOWN, "classes", "thresholds")}]
