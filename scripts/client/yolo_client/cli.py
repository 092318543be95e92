"""A client of the platform for scripts: datasets, trainings and tests by REST, progress by Socket.IO.

yolo-client upload shapes.zip --name Shapes
yolo-client upload large.zip --name Large --resume large.state
yolo-client train 1 --name "First try" --epochs 30 --watch
yolo-client test 1 photo.jpg --output boxes.jpg
yolo-client download 1 best.pt
yolo-client evaluate 1 --split test
yolo-client export-model 1 onnx --output model.zip
yolo-client predict 1 photo.jpg --labels labels
yolo-client predict-video 1 street.mp4 --output detections
yolo-client predict-images 1 photos.zip --output detections
yolo-client extend 1 --epochs 10 --schedule keep
yolo-client queue 5 3
yolo-client revise 1 --rename dog=animal --rename cat=animal --split 80/15/5
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import actions, datasets, evaluations, exports, predictions
from .answers import fields_of
from .api import ApiError, Client

LOCAL = "http://127.0.0.1:5000"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="yolo-client", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--url",
        default=os.environ.get("YOLO_URL") or LOCAL,
        help="server address; also read from $YOLO_URL (default: %(default)s)",
    )
    parser.add_argument(
        "--token",
        help="access token; also read from $YOLO_TOKEN, and on the server's machine from instance/owner_token",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    upload = commands.add_parser("upload", help="upload a ZIP and wait for the dataset check")
    upload.add_argument("file", type=Path)
    upload.add_argument("--name", required=True)
    upload.add_argument("--resume", type=Path, metavar="STATE", help="file that stores where an upload stopped")
    train = commands.add_parser("train", help="queue a run")
    train.add_argument("dataset_id", type=int)
    train.add_argument("--name")
    train.add_argument("--model-version", choices="nsmlx")
    for option in ("--epochs", "--batch-size", "--img-size"):
        train.add_argument(option, type=int)
    train.add_argument("--learning-rate", type=float)
    train.add_argument("--watch", action="store_true", help="print the events of the run until it ends")
    watch = commands.add_parser("watch", help="print the events of a run until it ends")
    watch.add_argument("training_id", type=int)
    test = commands.add_parser("test", help="test a trained model on an image")
    test.add_argument("training_id", type=int)
    test.add_argument("image", type=Path)
    test.add_argument("--output", type=Path, help="save the image with its boxes here")
    download = commands.add_parser("download", help="save the trained weights")
    download.add_argument("training_id", type=int)
    download.add_argument("file", type=Path)
    actions.add_actions(commands)
    evaluations.add_commands(commands)
    exports.add_commands(commands)
    predictions.add_commands(commands)
    datasets.add_commands(commands)
    return parser.parse_args()


def show(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def run(client: Client, args: argparse.Namespace) -> None:
    """Carry out one command; its responses are printed as JSON, one per line."""
    if args.command == "upload":
        show(client.wait_until_valid(client.upload(args.file, args.name, args.resume)))
    elif args.command == "train":
        fields = ("dataset_id", "name", "model_version", "epochs", "batch_size", "img_size", "learning_rate")
        payload = {field: getattr(args, field) for field in fields if getattr(args, field) is not None}
        args.training_id = client.train(**payload)
        show({"training_id": args.training_id})
    elif args.command == "test":
        answer = client.test(args.training_id, args.image)
        show(answer)
        if args.output:
            client.download(answer["image_url"], args.output)
    elif args.command == "download":
        client.download(f"/api/trainings/{args.training_id}/download", args.file)
    elif args.command == "queue":
        for training in client.queue(args.order):
            show(fields_of(training, ("id", "name", "priority", "waiting_for")))
    elif args.command in datasets.COMMANDS:
        print(*datasets.printed(datasets.run(client, args)), sep="\n", flush=True)
    elif args.command in evaluations.COMMANDS:
        for row in evaluations.run(client, args):
            show(row)
    elif args.command in exports.COMMANDS:
        for row in exports.run(client, args):
            show(row)
    elif args.command in predictions.COMMANDS:
        for row in predictions.run(client, args):
            show(row)
    elif args.command in actions.ACTIONS:
        show(actions.acted(client, args))
    if args.command == "watch" or getattr(args, "watch", False):
        for event, data in client.watch(args.training_id):
            show({"event": event, **data})


def main() -> int:
    args = arguments()
    try:
        run(Client(args.url, token=args.token), args)
    except (ApiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0
