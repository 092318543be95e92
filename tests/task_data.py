"""Small drawn datasets of each task, as written by the import."""

from pathlib import Path

from tests.data import image_bytes

BOX = (16, 12, 48, 36)  # in 64 × 48 pixels: from a quarter to three quarters of each side
CORNERS = "0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"
ROWS = {
    "detect": "0 0.5 0.5 0.5 0.5\n",
    "segment": f"0 {CORNERS} 0.3 0.5\n0 0.1 0.1 0.2 0.1 0.15 0.2\n",
    "obb": f"0 {CORNERS}\n",
    "pose": "0 0.5 0.5 0.5 0.5 0.25 0.25 2 0.75 0.25 2 0.5 0.75 1\n",
}
POSE_YAML = "kpt_shape: [3, 3]\nflip_idx: [1, 0, 2]\n"


def files(task: str, train: int = 8, val: int = 4) -> dict[str, bytes]:
    """A dataset in YOLO layout as file name to content, without its YAML; for a classification only the images."""
    content: dict[str, bytes] = {}
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            if task == "classify":
                kind = ("round", "square")[number % 2]
                content[f"images/{split}/{kind}/{number}.jpg"] = image_bytes(box=(4, 4, 60, 44) if number % 2 else BOX)
            else:
                content[f"images/{split}/{number}.jpg"] = image_bytes(box=BOX)
                content[f"labels/{split}/{number}.txt"] = ROWS[task].encode()
    return content


def write(folder: Path, task: str, train: int = 8, val: int = 4) -> Path:
    """Write a dataset with its dataset.yaml; returns the path of the latter."""
    for name, content in files(task, train, val).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    names = "names: [round, square]\nnc: 2\n" if task == "classify" else "names: [thing]\nnc: 1\n"
    path = folder / "dataset.yaml"
    path.write_text(
        f"path: {folder}\ntrain: images/train\nval: images/val\n{names}{POSE_YAML if task == 'pose' else ''}"
    )
    return path
