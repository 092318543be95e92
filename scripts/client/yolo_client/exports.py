"""The client's commands for exports of models."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import Row, fields_of

if TYPE_CHECKING:
    from .api import Client

COMMANDS = ("export-model", "model-exports", "export-formats")
PRINTED = ("id", "status", "format", "arguments", "size_bytes", "verification", "threshold", "notes")
OPTIONS = ("img_size", "half", "int8", "dynamic", "nms", "batch", "opset")
FORMAT = ("format", "label", "available", "reason", "arguments")


def add_commands(commands: Any) -> None:
    export = commands.add_parser("export-model", help="export the model of a run and wait until it is verified")
    export.add_argument("training_id", type=int)
    export.add_argument("format", help="such as onnx; see export-formats")
    export.add_argument("--output", type=Path, metavar="ZIP", help="save the model, its thresholds and an example here")
    for option in ("--half", "--int8", "--dynamic", "--nms"):
        export.add_argument(option, action="store_true", default=None)
    for option in ("--img-size", "--batch", "--opset"):
        export.add_argument(option, type=int)
    listed = commands.add_parser("model-exports", help="list the exports of a run")
    listed.add_argument("training_id", type=int)
    commands.add_parser("export-formats", help="list the formats, and why some can't be made on this server")


def run(client: "Client", args: argparse.Namespace) -> list[Row]:
    """Carry out one of COMMANDS; the rows to print."""
    if args.command == "export-formats":
        return [fields_of(exported, FORMAT) for exported in client.export_formats()]
    if args.command == "model-exports":
        return [fields_of(exported, PRINTED) for exported in client.model_exports(args.training_id)]
    options = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    exported = client.wait_for_model_export(client.export_model(args.training_id, args.format, **options))
    if args.output:
        client.download(exported["url"], args.output)
    return [fields_of(exported, PRINTED)]
