"""Writes an export's example.py: from an image file to boxes, with only the runtime, numpy and Pillow."""

from app.core.exports import PYTORCH, ExportArguments

# Imports, and the lines that compute the model's first output from `pixels`.
RUNTIMES: dict[str, tuple[str, str]] = {
    "onnx": (
        "import onnxruntime",
        """\
session = onnxruntime.InferenceSession(HERE / "{model}", providers=["CPUExecutionProvider"])
output = session.run(None, {{session.get_inputs()[0].name: pixels}})[0]""",
    ),
    "openvino": (
        "import openvino",
        """\
file, exact = next((HERE / "{model}").glob("*.xml")), {{"INFERENCE_PRECISION_HINT": "f32"}}
output = openvino.compile_model(file, "CPU", exact)(pixels)[0]""",
    ),
    "torchscript": (
        "import torch",
        """\
found = torch.jit.load(HERE / "{model}")(torch.from_numpy(pixels))
output = (found[0] if isinstance(found, tuple) else found).detach().numpy()""",
    ),
}
# pip packages that the example needs, besides numpy and Pillow.
NEEDS = {"onnx": ("onnxruntime",), "openvino": ("openvino",), "torchscript": ("torch",)}

HEAD = '''"""{purpose}: python example.py photo.jpg"""
import json, sys
from pathlib import Path
'''
SETTINGS = """\
HERE, WIDTH, HEIGHT, IOU = Path(__file__).resolve().parent, {width}, {height}, {iou}
files = (HERE / name for name in ("names.json", "thresholds.json"))
names, limits = (json.loads(file.read_text(encoding="utf-8")) for file in files)
image = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGB")
"""
LETTERBOX = """\
ratio = min(WIDTH / image.width, HEIGHT / image.height)
inner = round(image.width * ratio), round(image.height * ratio)
left, top = round((WIDTH - inner[0]) / 2 - 0.1), round((HEIGHT - inner[1]) / 2 - 0.1)
"""
STRETCH = """\
inner, left, top = (WIDTH, HEIGHT), 0, 0
"""
CANVAS = """\
canvas = Image.new("RGB", (WIDTH, HEIGHT), (114, 114, 114))
scaled = image.transform(inner, Image.Transform.EXTENT, (0, 0, *image.size), Image.Resampling.BILINEAR)
canvas.paste(scaled, (left, top))
"""
CROP = """\
short = min(image.size)
image = image.resize([WIDTH * side // short for side in image.size], Image.Resampling.BILINEAR)
left, top = round((image.width - WIDTH) / 2), round((image.height - HEIGHT) / 2)
canvas = image.crop((left, top, left + WIDTH, top + HEIGHT))
"""
PIXELS = """\
pixels = np.asarray(canvas, np.float32).transpose(2, 0, 1)[None]{repeat} / 255
"""
RAW = """\
rows = output[0].T
kinds, confidences = (getattr(rows[:, 4 : 4 + len(names)], way)(1) for way in ("argmax", "max"))
"""
TRANSFORMER = """\
rows = output[0] * [WIDTH, HEIGHT, WIDTH, HEIGHT, 1, 1]
kinds, confidences = rows[:, 5].astype(int), rows[:, 4]
"""
FILTERED = """\
rows = output[0]
kinds, confidences = rows[:, 5].astype(int), rows[:, 4]
"""
CENTRES = """\
boxes = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
"""
CORNERS = """\
boxes = rows[:, :4]
"""
OVERLAP = """
def overlap(one, other):
    width, height = np.maximum(0, np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]))
    return width * height / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - width * height)

"""
TURNED = """\
boxes = np.concatenate([rows[:, :4], rows[:, {angle}][:, None]], 1)
def overlap(one, other):  # ProbIoU
    wide, high = np.square([one[2:4], other[2:4]]).T / 12
    cos, sin = np.cos([one[4], other[4]]), np.sin([one[4], other[4]])
    a, b, c = wide * cos**2 + high * sin**2, wide * sin**2 + high * cos**2, (wide - high) * cos * sin
    area = np.prod((a * b - c * c).clip(0)) ** 0.5
    (a, b, c), (x, y) = (a.sum(), b.sum(), c.sum()), one[:2] - other[:2]
    near, both = (a * y * y + b * x * x - 2 * c * x * y) / 4, a * b - c * c + 1e-7
    return 1 - (1 - np.exp(-np.clip(near / both + np.log(both / (4 * area + 1e-7)) / 2, 1e-7, 100)) + 1e-7) ** 0.5
"""
ALL = """\
kept = [i for i in confidences.argsort()[::-1] if confidences[i] >= limits["confidence"]]
"""
LOOP = """\
kept = []
for i in confidences.argsort()[::-1]:  # the surest first; what overlaps it is the same object
    if confidences[i] < limits["confidence"] or len(kept) == 300:
        break
    if all(kinds[i] != kinds[j] or overlap(boxes[i], boxes[j]) <= IOU for j in kept):
        kept.append(i)
"""
FAST = """\
sure = confidences.argsort()[::-1][: (confidences >= limits["confidence"]).sum()]
kept = []  # what overlaps any surer one is left out, as ultralytics does with oriented boxes
for n, i in enumerate(sure):
    if all(kinds[i] != kinds[j] or overlap(boxes[i], boxes[j]) <= IOU for j in sure[:n]):
        kept.append(i)
"""
PRINT = """\
for i in kept:
    x = (boxes[i][[0, 2]] - left).clip(0, inner[0]) * image.width / inner[0]
    y = (boxes[i][[1, 3]] - top).clip(0, inner[1]) * image.height / inner[1]
    print(names[kinds[i]], f"{confidences[i]:.3f}", *(f"{value:.1f}" for value in (x[0], y[0], x[1], y[1])))
"""
PRINT_TURNED = """\
for i in kept:
    turn = np.cos(boxes[i][4] + np.array([[0, -1], [1, 0]]) * np.pi / 2)
    corners = (boxes[i][2:4] / 2 * [[1, 1], [1, -1], [-1, -1], [-1, 1]] @ turn + boxes[i][:2] - (left, top)) / ratio
    print(names[kinds[i]], f"{confidences[i]:.3f}", *(f"{value:.1f}" for value in corners.flatten()))
"""
CLASSES = """
confidences = output[0]
for i in confidences.argsort()[::-1][:5]:
    print(names[i], f"{confidences[i]:.3f}")
"""
WITH_ULTRALYTICS = '''"""{purpose}: python example.py photo.jpg"""
import json
import sys
from pathlib import Path

from ultralytics import YOLO

HERE = Path(__file__).resolve().parent
names = json.loads((HERE / "names.json").read_text(encoding="utf-8"))
least = json.loads((HERE / "thresholds.json").read_text(encoding="utf-8"))["confidence"]
model = YOLO(HERE / "{model}", task="{task}")
(result,) = model.predict(sys.argv[1], imgsz=({height}, {width}), conf=least, iou={iou}, verbose=False)
'''
PRINT_BOXES = """\
for box in result.boxes:
    print(names[int(box.cls)], f"{float(box.conf):.3f}", *(f"{value:.1f}" for value in box.xyxy[0].tolist()))
"""
PRINT_OBB = """\
for box in result.obb:
    corners = (f"{value:.1f}" for value in box.xyxyxyxy[0].flatten().tolist())
    print(names[int(box.cls)], f"{float(box.conf):.3f}", *corners)
"""
PRINT_PROBS = """\
for i, confidence in zip(result.probs.top5, result.probs.top5conf.tolist()):
    print(names[i], f"{confidence:.3f}")
"""


def example(form: str, task: str, model: str, arguments: ExportArguments, iou: float, transformer: bool) -> str:
    """The program's text, at most 40 lines.

    Args:
        form: the format. model: the name of the file or folder beside the program.
        transformer: whether the model is an RT-DETR: its input is stretched, and its boxes are relative.
    """
    purpose = "Classifies an image" if task == "classify" else "Detects objects in an image"
    size = arguments["img_size"]
    values = {"purpose": purpose, "model": model, "task": task, "width": size, "height": size, "iou": iou}
    if form not in RUNTIMES:
        prints = {"classify": PRINT_PROBS, "obb": PRINT_OBB}.get(task, PRINT_BOXES)
        return WITH_ULTRALYTICS.format(**values) + prints
    runtime, load = RUNTIMES[form]
    imports = ["import numpy as np", runtime]
    if needs_torchvision(form, arguments):
        imports.append("import torchvision  # noqa: F401 (the model's suppression of overlapping boxes is in it)")
    imports.sort(key=lambda line: line.split()[1])
    batch = arguments.get("batch", 1)
    repeat = f".repeat({batch}, 0)" if batch > 1 and not arguments.get("dynamic") else ""
    parts = [
        HEAD.format(**values),
        *(f"{line}\n" for line in [*imports, "from PIL import Image, ImageOps"]),
        SETTINGS.format(**values),
        CROP if task == "classify" else (STRETCH if transformer else LETTERBOX) + CANVAS,
        PIXELS.format(repeat=repeat),
        load.format(**values) + "\n",
        *decoding(task, bool(arguments.get("nms")), transformer),
    ]
    return "".join(parts)


def decoding(task: str, filtered: bool, transformer: bool) -> list[str]:
    """The lines from the model's output to the printed result.

    Args:
        filtered: whether non-maximum suppression is built in.
    """
    if task == "classify":
        return [CLASSES]
    if transformer:
        return [TRANSFORMER, CENTRES, ALL, PRINT]
    rows = FILTERED if filtered else RAW
    if task == "obb":
        angle = "6" if filtered else "4 + len(names)"
        return [rows, TURNED.format(angle=angle), FAST, PRINT_TURNED]
    return [rows, CORNERS if filtered else CENTRES, OVERLAP, LOOP, PRINT]


def needs_torchvision(form: str, arguments: ExportArguments) -> bool:
    """Whether the model needs torchvision: TorchScript with built-in non-maximum suppression."""
    return form == "torchscript" and bool(arguments.get("nms"))


def needs(form: str, arguments: ExportArguments) -> tuple[str, ...]:
    """The arguments of `pip install` for the example."""
    if form not in NEEDS:
        return ("ultralytics",)
    more = ("torchvision",) if needs_torchvision(form, arguments) else ()
    return (*NEEDS[form], *more, "numpy", "pillow")


def runs_with(form: str) -> str:
    return "ultralytics" if form == PYTORCH or form not in NEEDS else NEEDS[form][0]
