"""A video as a job against `yolo predict` on the same file, both from the process's start to the written video."""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from scripts.bench.common import Figures, new_folder, offline_environment
from scripts.bench.many import used
from scripts.bench.serving import SIZE, add_trained, export
from scripts.fitted_model import create_model
from scripts.local_server import Server

FRAMES, RATE, ROUNDS = 150, 25, 3


def video(folder: Path, args: argparse.Namespace) -> Figures:
    """yolov8n at 640 px on 150 frames, in alternating runs; medians of the rounds. The job uses the verified OpenVINO
    export, which each completed training gets automatically.
    """
    model = args.serving_model or new_folder(folder, "made")
    if not args.serving_model:
        create_model(model, SIZE)
    film = filmed(folder / "film.mp4", sorted((model / "data" / "images" / "val").iterdir()))
    yolo, ours, yolo_cpu, ours_cpu = [], [], [], []
    with Server(new_folder(folder, "server"), "threading") as server:
        training_id = add_trained(server, model)
        export(server, training_id)
        for number in range(ROUNDS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            yolo.append(rate(lambda number=number: predict(new_folder(folder, f"plain{number}"), model, film)))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            yolo_cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            began = used(server)
            ours.append(rate(lambda: analyze(server, training_id, film)))
            ours_cpu.append(used(server) - began)
    pairs = list(zip(ours, yolo, strict=True))
    return {
        "yolo predict, frames/s": statistics.median(yolo),
        "job, frames/s": statistics.median(ours),
        "job / yolo predict": statistics.median(mine / theirs for mine, theirs in pairs),
        "yolo predict, s of the processor": statistics.median(yolo_cpu),
        "job, s of the processor": statistics.median(ours_cpu),
    }


def filmed(path: Path, pictures: list[Path]) -> Path:
    """An H.264 video of these images, one after the other."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width = stream.height = SIZE
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, RATE)
        images = [av.VideoFrame.from_image(Image.open(picture).convert("RGB")) for picture in pictures]
        for number in range(FRAMES):
            frame = images[number // RATE % len(images)]
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rate(call: Callable[[], object]) -> float:
    """Frames per second."""
    began = time.monotonic()
    call()
    return FRAMES / (time.monotonic() - began)


def predict(folder: Path, model: Path, film: Path) -> None:
    program = str(Path(sys.executable).parent / "yolo")
    options = {"model": model / "best.pt", "source": film, "imgsz": SIZE, "conf": 0.5, "iou": 0.5, "device": "cpu"}
    command = [
        program,
        "detect",
        "predict",
        *(f"{name}={value}" for name, value in options.items()),
        f"project={folder}",
    ]
    subprocess.run(command, env=offline_environment(folder), cwd=folder, check=True, capture_output=True)


def analyze(server: Server, training_id: int, film: Path) -> None:
    """From the upload to the annotated video and the lists of detections.

    Raises:
        RuntimeError: it failed.
    """
    with open(film, "rb") as file:
        form = {"training_id": training_id, "confidence": 0.5, "iou": 0.5, "track": "false"}
        answer = server.post("/api/predictions", files={"file": ("film.mp4", file)}, data=form).json()
    location = f"/api/predictions/{answer['prediction_id']}"
    while (prediction := server.get(location).json())["status"] in {"pending", "running"}:
        time.sleep(0.1)
    if prediction["status"] != "completed" or prediction["media"]["frames"] != FRAMES:
        raise RuntimeError(f"the video was not analyzed: {prediction['error']}")
    print({name: prediction[name] for name in ("engine", "rate")})
