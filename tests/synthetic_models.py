"""Models with synthetic weights for each task, and datasets whose labels are nearly these models' detections: their
figures are neither 0 nor 1, without a training.
"""

PROGRAM = """
import random, sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
from ultralytics import YOLO

SUFFIXES = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb", "classify": "-cls"}
SIZE, NAMES = 96, ("round", "square")

def create_model(task, path):
    torch.manual_seed(3)
    name = f"yolov8n{SUFFIXES[task]}.yaml"
    yolo = YOLO(name)
    more = {"data_kpt_shape": (3, 3)} if task == "pose" else {}
    yolo.model = yolo.task_map[task]["model"](name, nc=2, verbose=False, **more)
    yolo.model.names = dict(enumerate(NAMES))
    yolo.ckpt = {"train_args": {"task": task, "imgsz": SIZE, "single_cls": False}}
    for layer in yolo.model.modules():  # statistics of one batch of noise, so that pictures reach the last layer
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        yolo.model.train()(torch.rand(4, 3, SIZE, SIZE))
        head = yolo.model.model[-1]
        if task == "classify":
            head.linear.weight.normal_(std=2.0)
        else:
            for box, kind in zip(head.cv2, head.cv3):
                box[-1].weight.normal_(std=0.3)
                kind[-1].weight.normal_(std=0.3)
                kind[-1].bias.fill_(-1.0)
            for branch in head.cv4 if task == "segment" else ():  # masks that fill their boxes
                branch[-1].weight.zero_(), branch[-1].bias.fill_(1.0)
    yolo.save(path)
    return YOLO(path)

def picture(path):
    noise = np.random.default_rng(len(str(path)) + int(path.stem)).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize((160, 120)).save(path)

def numbers(values):
    shift = random.choice((0.0, 0.0, 0.004, 0.02))
    return " ".join(f"{min(max(float(value) + shift, 0.0), 1.0):.6f}" for value in np.asarray(values).reshape(-1))

def rows(task, result):
    detections = result.obb if task == "obb" else result.boxes
    for at in range(0, min(len(detections), 12), 2):
        kind = int(detections.cls[at]) if at % 4 else 1 - int(detections.cls[at])
        if task == "segment":
            if len(result.masks.xyn[at]) > 2:
                yield f"{kind} {numbers(result.masks.xyn[at])}"
        elif task == "obb":
            yield f"{kind} {numbers(detections.xyxyxyxyn[at].cpu())}"
        elif task == "pose":
            points = np.concatenate([result.keypoints.xyn[at].cpu().numpy(), np.full((3, 1), 2.0)], 1)
            flat = " ".join(f"{min(max(x, 0), 1):.6f} {min(max(y, 0), 1):.6f} 2" for x, y, _ in points)
            yield f"{kind} {numbers(detections.xywhn[at].cpu())} {flat}"
        else:
            yield f"{kind} {numbers(detections.xywhn[at].cpu())}"

def write_dataset(folder, task, model, images=6):
    random.seed(1)
    for split in ("train", "val", "test"):
        for number in range(images):
            path = folder / "images" / split / f"{number}.png"
            picture(path)
            result = model.predict(str(path), imgsz=SIZE, conf=0.01, iou=0.6, verbose=False, device="cpu")[0]
            if task == "classify":
                kind = NAMES[result.probs.top1 if number % 3 else 1 - result.probs.top1]
                target = path.parent / kind / path.name
                target.parent.mkdir(exist_ok=True)
                path.rename(target)
                (path.parent / NAMES[0]).mkdir(exist_ok=True), (path.parent / NAMES[1]).mkdir(exist_ok=True)
                continue
            label = folder / "labels" / split / f"{number}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("\\n".join(rows(task, result)))
    pose = "kpt_shape: [3, 3]\\n" if task == "pose" else ""
    splits = "".join(f"{split}: images/{split}\\n" for split in ("train", "val", "test"))
    (folder / "dataset.yaml").write_text(f"path: {folder}\\n{splits}nc: 2\\nnames: [round, square]\\n{pose}")
    return folder / "dataset.yaml"
"""
