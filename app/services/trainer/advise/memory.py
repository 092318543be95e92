"""Predicts a training's memory by a rule of thumb, whereas the estimate on the form measures it."""

from dataclasses import dataclass

MB = 2**20


@dataclass(frozen=True)
class Size:
    """A size of YOLOv8.

    Attributes:
        parameters: millions.
        flops: 10⁹ per image of 640 px (ultralytics' table of models).
        saved: MB that the backward pass stores per image of 640 px in 32 bits. Counted with
            torch.autograd.graph.saved_tensors_hooks on ultralytics 8.4.190 at 160 and 320 px; proportional to the area
            (the two agree within 0.2 %).
    """

    parameters: float
    flops: float
    saved: float


SIZES = {
    "n": Size(3.2, 8.7, 191),
    "s": Size(11.2, 28.6, 351),
    "m": Size(25.9, 78.9, 625),
    "l": Size(43.7, 165.2, 966),
    "x": Size(68.2, 257.8, 1205),
}
COPIES = 5  # of the parameters in 32 bits: weights, gradients, two of the optimizer, the moving average
MIXED = 0.6  # factor for stored values with mixed precision on a GPU; not all layers use it
SLACK = 1.25  # workspace of the convolutions, and fragmentation of the allocator
CONTEXT = {"gpu": 900 * MB, "cpu": 1200 * MB}  # CUDA and the libraries; on a CPU, Python with torch
AIM = 0.6  # share of the memory that ultralytics' automatic batch aims at (utils/autobatch.py)
LIMIT = 0.9


def needed_bytes(version: str, img_size: int, batch: int, gpu: bool) -> int:
    """The maximum memory of a training in bytes."""
    size = SIZES[version]
    picture = size.saved * MB * (img_size / 640) ** 2 * (MIXED if gpu else 1.0) * SLACK
    return int(CONTEXT["gpu" if gpu else "cpu"] + size.parameters * 1e6 * 4 * COPIES + batch * picture)


def largest_batch(version: str, img_size: int, memory: int, gpu: bool, share: float = AIM, most: int = 64) -> int:
    """The largest power of two that fits into this share of the memory; 1 if none does."""
    batch = 1 << (max(1, most).bit_length() - 1)
    while batch > 1 and needed_bytes(version, img_size, batch, gpu) > memory * share:
        batch //= 2
    return batch
