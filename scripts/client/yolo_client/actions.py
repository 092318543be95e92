"""The client's commands for existing trainings."""

import argparse
from typing import TYPE_CHECKING, Any

from .answers import Acted, Deleted, Training
from .json_argument import json_object

if TYPE_CHECKING:
    from .api import Client

ACTIONS = {
    "stop": "stop a run; its weights are kept",
    "pause": "pause a run; it resumes after its last completed epoch",
    "resume": "resume a run from its newest checkpoint",
    "retry": "retry a run that failed or was stopped",
    "extend": "add epochs to a completed run",
    "clone": "queue a new run with the same settings",
    "edit": "change name, priority, start_not_before or important",
    "delete": "move a run to the trash",
    "restore": "restore a run from the trash",
}


def add_actions(commands: Any) -> None:
    """The commands for an existing training."""
    for name, text in ACTIONS.items():
        action = commands.add_parser(name, help=text)
        action.add_argument("training_id", type=int)
        if name == "extend":
            action.add_argument("--epochs", type=int, required=True, help="number of epochs to add")
            action.add_argument("--schedule", choices=("stretch", "keep"), default="stretch")
        elif name == "clone":
            action.add_argument("--set", default="{}", type=json_object, metavar="JSON", help='such as {"epochs": 50}')
        elif name == "delete":
            action.add_argument("--permanent", action="store_true", help="delete a run in the trash permanently")
        elif name == "edit":
            action.add_argument("changes", type=json_object, metavar="JSON", help='such as {"priority": 5}')
    order = commands.add_parser("queue", help="show the queue; with IDs: reorder it first")
    order.add_argument("order", type=int, nargs="*")


def acted(client: "Client", args: argparse.Namespace) -> Acted | Deleted | Training:
    """Carry out one of ACTIONS; returns the server's response."""
    match args.command:
        case "delete":
            return client.delete(args.training_id, args.permanent)
        case "edit":
            return client.edit(args.training_id, **args.changes)
        case "clone":
            return client.act("clone", args.training_id, **args.set)
        case "extend":
            return client.act("extend", args.training_id, epochs=args.epochs, schedule=args.schedule)
    return client.act(args.command, args.training_id)
