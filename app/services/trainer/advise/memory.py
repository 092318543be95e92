"""Predicts a training's memory by a rule of thumb. The estimate on the form measures it instead."""

from dataclasses import dataclass

MB = 2**20


@dataclass(frozen=True)
class Size:
    """A size of YOLOv8.

    Attributes:
        parameters: millions.
        flops: 10⁹ a picture of 640 px (ultralytics' table of models).
        saved: MB that the backward pass keeps of a picture of 640 px in 32 bits. Counted here with
            torch.autograd.graph.saved_tensors_hooks on ultralytics 8.4.190 at 160 and 320 px; it grows with the area
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
MIXED = 0.6  # of the saved values where a GPU computes in 16 bits; not all layers do
SLACK = 1.25  # working space of the convolutions, and what the allocator keeps
CONTEXT = {"gpu": 900 * MB, "cpu": 1200 * MB}  # CUDA and the libraries; on a processor Python with torch
AIM = 0.6  # of the memory: what ultralytics' own automatic batch aims at (utils/autobatch.py)
LIMIT = 0.9


def needed_bytes(version: str, img_size: int, batch: int, gpu: bool) -> int:
    """The most bytes that a training would use."""
    size = SIZES[version]
    picture = size.saved * MB * (img_size / 640) ** 2 * (MIXED if gpu else 1.0) * SLACK
    return int(CONTEXT["gpu" if gpu else "cpu"] + size.parameters * 1e6 * 4 * COPIES + batch * picture)


def largest_batch(version: str, img_size: int, memory: int, gpu: bool, share: float = AIM, most: int = 64) -> int:
    """The largest power of two that fits into this share of the memory; 1 where none does."""
    batch = 1 << (max(1, most).bit_length() - 1)
    while batch > 1 and needed_bytes(version, img_size, batch, gpu) > memory * share:
        batch //= 2
    return batch
