"""The client's commands for predictions: of images, immediately, and of a video or many images, as a job."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import Row, fields_of
from .json_argument import json_object

if TYPE_CHECKING:
    from .api import Client

COMMANDS = ("predict", "predict-video", "predict-images")
OPTIONS = ("confidence", "iou", "classes")


def add_commands(commands: Any) -> None:
    predict = commands.add_parser("predict", help="detect objects in images with the thresholds of the model")
    predict.add_argument("training_id", type=int)
    predict.add_argument("images", type=Path, nargs="+")
    predict.add_argument("--confidence", type=float, help="for all classes")
    predict.add_argument("--iou", type=float)
    predict.add_argument("--classes", type=json_object, metavar="JSON", help='confidence by class: {"dog": 0.4}')
    predict.add_argument(
        "--labels", type=Path, metavar="FOLDER", help="also save a YOLO label file for each image here"
    )
    video = commands.add_parser("predict-video", help="analyze a video and wait for its detections")
    video.add_argument("training_id", type=int)
    video.add_argument("video", type=Path)
    video.add_argument("--confidence", type=float, help="for all classes")
    video.add_argument("--iou", type=float)
    video.add_argument("--classes", type=json_object, metavar="JSON", help='confidence by class: {"dog": 0.4}')
    video.add_argument("--resume", type=Path, metavar="STATE", help="file that stores where sending stopped")
    video.add_argument("--output", type=Path, metavar="FOLDER", help="save the annotated video, JSON and CSV here")
    images = commands.add_parser("predict-images", help="analyze many images, or a ZIP of them, and wait for it")
    images.add_argument("training_id", type=int)
    images.add_argument("images", type=Path, nargs="+", help="images, or one ZIP")
    images.add_argument("--confidence", type=float, help="for all classes")
    images.add_argument("--iou", type=float)
    images.add_argument("--classes", type=json_object, metavar="JSON", help='confidence by class: {"dog": 0.4}')
    images.add_argument("--resume", type=Path, metavar="STATE", help="file that stores where sending stopped")
    images.add_argument("--output", type=Path, metavar="FOLDER", help="save JSON, CSV and YOLO labels here")


def run(client: "Client", args: argparse.Namespace) -> Iterator[Row]:
    """Carry out one of COMMANDS; the rows to print."""
    options = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    if args.command == "predict-video":
        yield wait_and_download(
            client, args, client.predict_video(args.training_id, args.video, args.resume, **options)
        )
        return
    if args.command == "predict-images":
        yield wait_and_download(
            client, args, client.predict_images(args.training_id, args.images, args.resume, **options)
        )
        return
    if args.labels:
        args.labels.mkdir(parents=True, exist_ok=True)
        options["format"] = "yolo"
    for image in args.images:
        prediction = client.predict(args.training_id, image, **options)
        if args.labels:
            lines = "".join(f"{line}\n" for line in prediction["labels"])
            (args.labels / f"{image.stem}.txt").write_text(lines, encoding="utf-8")
        yield {"image": str(image), **prediction}


def wait_and_download(client: "Client", args: argparse.Namespace, prediction_id: int) -> Row:
    prediction = client.wait_for_prediction(prediction_id)
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
        for file in prediction["files"]:
            client.download(file["url"], args.output / file["name"])
    return fields_of(prediction, ("id", "status", "filename", "media", "images", "found", "engine", "rate"))
