"""What a training step costs, worked out from the network before it is run: operations, memory and time.

Operations and activations are counted by sending one image that has a shape and no content (PyTorch's ``meta`` device)
through the network. Measured peaks and times are in the run records.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from bitdoc.network.resnet import build, count_parameters

#: Share of the matrix-multiply rate that training was seen to reach on CPUs; graphics cards differ (30 to 60 %).
SHARE = 0.5


@dataclass(frozen=True)
class Memory:
    """Bytes that a training step holds.

    Attributes
    ----------
    weights, momentum, gradients : int
        Raw weights, SGD's momentum and the gradients, in float32.
    filters : int
        Standardized filters, kept for the whole step, and their gradients; copies of them in a lower precision.
    activations : int
        What one micro-batch keeps for the backward pass.
    images : int
        The whole batch, as pixels and as float32.
    """

    weights: int
    momentum: int
    gradients: int
    filters: int
    activations: int
    images: int

    @property
    def total(self) -> int:
        """The peak: gradients of the raw weights are made last, when no activations are held any more."""
        held = self.weights + self.momentum + self.filters + self.images
        return held + max(self.activations, self.gradients)


@cache
def activations(arch: str, side: int, precision: str = "float32") -> int:
    """Bytes that one image of ``side`` pixels keeps for the backward pass, and three times the largest part of them.

    Those three are the gradients under way: of a block's output, of its shortcut, and of the layer at work.
    """
    dtype = getattr(torch, precision)
    with torch.device("meta"):
        model = build(arch, 10, standardized=False).to(dtype)  # standardized filters are counted by themselves
        image = torch.empty(1, 3, side, side, dtype=dtype)
    ours = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in ours:
            kept[storage._cdata] = tensor  # held, so that no other storage can take its address
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model(image).sum()
    sizes = [tensor.untyped_storage().nbytes() for tensor in kept.values()]
    return sum(sizes) + 3 * max(sizes)


@cache
def operations(arch: str, side: int) -> int:
    """Floating-point operations of the forward pass of one image (a multiplication and an addition are two)."""
    with torch.device("meta"):
        model, image = build(arch, 10, standardized=False), torch.empty(1, 3, side, side)
    with FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops()


def memory(arch: str, side: int, batch: int, split: int, precision: str = "float32") -> Memory:
    """Memory of a step of ``batch`` images of ``side`` pixels in ``split`` micro-batches."""
    weights = 4 * count_parameters(arch, 10)
    return Memory(
        weights=weights,
        momentum=weights,
        gradients=weights,
        filters=2 * weights + (weights // 2 if precision != "float32" else 0),
        activations=-(-batch // split) * activations(arch, side, precision),
        images=batch * 3 * side**2 * (1 + 4),
    )


def split_that_fits(arch: str, side: int, batch: int, room: int, precision: str = "float32") -> int | None:
    """Smallest split (1, 2, 4, ...) with which a step takes at most nine tenths of ``room`` bytes; None for none."""
    splits = [2**i for i in range(batch.bit_length()) if 2**i <= batch]
    return next((s for s in splits if memory(arch, side, batch, s, precision).total <= 0.9 * room), None)


def matmul_rate(device: torch.device, precision: str = "float32", side: int = 0, seconds: float = 0.3) -> float:
    """Floating-point operations a second that ``device`` reaches in multiplying square matrices, at its best.

    The matrices have ``side`` rows; by default as many as keep the device busy, 1,024 on a CPU and 8,192 on a card.
    """
    side = side or (1024 if device.type == "cpu" else 8192)
    a = torch.randn(side, side, device=device).to(getattr(torch, precision))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        (a @ a)[0, 0].item()  # asks for a number, so that the clock waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best


def best_matmul_rate(device: torch.device, seconds: float = 2.0) -> float:
    """The highest :func:`matmul_rate` of several sizes of matrices, which share ``seconds``.

    Which size is quickest depends on the machine's caches and on what else it does; a limit must be measured at its
    best, or what is held against it seems to be above it.
    """
    sides = (512, 768, 1024, 1536, 2048) if device.type == "cpu" else (2048, 4096, 8192)
    return max(matmul_rate(device, side=side, seconds=seconds / len(sides)) for side in sides)


def seconds(arch: str, side: int, trained: int, tested: int, rate: float) -> float:
    """Rough time to train on ``trained`` and test on ``tested`` images; a backward pass counts as two forward ones."""
    return operations(arch, side) * (3 * trained + tested) / (SHARE * rate)
