"""The client's commands for evaluations."""

import argparse
from typing import TYPE_CHECKING, Any

from .answers import Row, fields_of
from .json_argument import json_object

if TYPE_CHECKING:
    from .api import Client

COMMANDS = ("evaluate", "evaluations")
PRINTED = ("id", "status", "split", "checkpoint", "dataset_id", "images", "objects", "metrics")
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
    evaluate.add_argument("--classes", type=json_object, metavar="JSON", help='such as {"auto": "car", "sky": null}')
    listed = commands.add_parser("evaluations", help="list the evaluations of a run")
    listed.add_argument("training_id", type=int)


def run(client: "Client", args: argparse.Namespace) -> list[Row]:
    """Carry out one of COMMANDS; the rows to print."""
    if args.command == "evaluations":
        return [fields_of(evaluation, PRINTED) for evaluation in client.evaluations(args.training_id)]
    options = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    evaluation = client.wait_for_evaluation(client.evaluate(args.training_id, args.split, **options))
    return [fields_of(evaluation, (*PRINTED, "classes", "thresholds"))]
