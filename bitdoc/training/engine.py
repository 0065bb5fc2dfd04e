"""Where a step is computed: the device, the precision, the processes that share it, and parts that fit into memory.

PyTorch's own engines do the work: ``torch.autocast`` and ``GradScaler`` for precision, ``torch.distributed`` for
several processes, which ``torchrun`` starts (or ``accelerate launch``, which sets the same variables). Accelerate
itself, and ``DistributedDataParallel`` beneath it, average gradients while ``backward()`` runs. Here most gradients
reach the raw weights only afterwards, when the sum over all micro-batches is carried back through the weight
standardization: so they are added up once a step, after that, and a process that runs out of memory can repeat its part
of the step without the others noticing.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

PRECISIONS = ("float32", "bfloat16", "float16")
Network = TypeVar("Network", bound=nn.Module)


class TrainingError(RuntimeError):
    """Training that cannot go on, with one line that says why."""


def pick_device(name: str | None = None) -> torch.device:
    """The device named, else CUDA (the card of this process, under ``torchrun``), else MPS, else the CPU."""
    if name and name != "cuda":
        return torch.device(name)
    if name or torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_precision(device: torch.device, name: str | None = None) -> str:
    """The precision named; by default, on CUDA, bfloat16 where the card computes it, else float16; float32 elsewhere.

    Raises
    ------
    ValueError
        If the name is none of ``PRECISIONS``.
    """
    if name and name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}; choose {', '.join(PRECISIONS)}")
    if name or device.type != "cuda":
        return name or "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is an allocation that failed, on CUDA, MPS or the CPU (which raises a plain RuntimeError)."""
    signs = (
        "out of memory",
        "can't allocate memory",
        "not enough memory",
        "STATUS_ALLOC_FAILED",
        "unable to find an engine",  # cuDNN, when no algorithm got its workspace
    )
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)


class LowGroupNorm(nn.GroupNorm):
    """Group norm that stays in its input's precision, where ``autocast`` would go back to float32.

    Sums are taken in float32 either way; what is kept for the backward pass takes half the memory.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``x`` of shape ``(N, C, H, W)``, then scale and shift each channel."""
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


@dataclass
class Engine:
    """How a step is computed; the default is float32 on the CPU by one process.

    Attributes
    ----------
    device : torch.device
        Where the network and the batches are.
    precision : {"float32", "bfloat16", "float16"}
        Of convolutions and the activations between them. Weights, their gradients and the standardization of filters
        stay in float32. With float16 the loss is scaled, so that small gradients are not rounded to 0.
    compiled : bool
        Compile the network with ``torch.compile``.
    rank, world : int
        Number of this process, and of all processes; each takes its share of every micro-batch.
    parts, test_parts : int
        Parts that the share of a micro-batch, and a batch of test images, are cut into. They double when memory
        runs out.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"
    compiled: bool = False
    rank: int = 0
    world: int = 1
    parts: int = 1
    test_parts: int = 1

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")
        self.largest = 0  # images in the largest part so far tried at this size

    @classmethod
    def start(cls, device: str | None = None, precision: str | None = None, compiled: bool = False) -> Engine:
        """Make the engine of this process: the best device; under ``torchrun``, together with the other processes."""
        where = pick_device(device)
        if where.type == "cuda":
            torch.cuda.set_device(where)
            torch.backends.cudnn.benchmark = True  # shapes repeat, so trying all algorithms once pays
            torch.backends.cudnn.allow_tf32 = pick_precision(where, precision) != "float32"  # float32 means float32
        world = int(os.environ.get("WORLD_SIZE", 1))
        if world > 1 and not distributed.is_initialized():
            backend = "nccl" if where.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=timedelta(hours=2))  # downloads may be slow
        rank = distributed.get_rank() if world > 1 else 0
        return cls(where, pick_precision(where, precision), compiled, rank, world)

    def finish(self) -> None:
        """Part from the other processes when all is done; after an error NCCL would wait here for those at work."""
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this process speaks for all: it alone writes files and shows progress."""
        return self.rank == 0

    def place(self, model: Network) -> Network:
        """Move ``model`` to the device, channels last; make it ready for the precision, and compile it if asked to."""
        model = model.to(self.device).to(memory_format=torch.channels_last)
        for module in model.modules():
            if self.precision != "float32" and isinstance(module, nn.GroupNorm):
                module.__class__ = LowGroupNorm
        if self.compiled:
            model.compile(dynamic=False)
        return model

    def forget_peak(self) -> None:
        """Count peak memory from here on, where the device counts it."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def autocast(self) -> AbstractContextManager:
        """Compute in ``precision`` inside the block."""
        low = self.precision != "float32"
        return torch.autocast(self.device.type, getattr(torch, self.precision) if low else None, enabled=low)

    def share(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Yield this process's rows of ``tensors`` (all of one length), in parts that fit into memory."""
        mine = (tensor.tensor_split(self.world)[self.rank].tensor_split(self.parts) for tensor in tensors)
        for piece in zip(*mine, strict=True):
            if len(piece[0]):
                self.largest = max(self.largest, len(piece[0]))
                yield piece

    def halve(self, error: str) -> None:
        """Cut micro-batches into parts half as large from now on.

        Raises
        ------
        TrainingError
            If the parts are single images already.
        """
        if self.largest <= 1:
            raise TrainingError(f"out of memory even with one image at a time on {self.device} ({error})")
        self.parts, self.largest = 2 * self.parts, 0
        self._free()
        print(f"out of memory: the step is repeated with each micro-batch in {self.parts} parts", flush=True)

    def in_parts(self, function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """``function`` of a batch of test images, part by part; smaller parts where memory runs out."""
        while True:
            try:
                return torch.cat([function(part) for part in images.tensor_split(self.test_parts) if len(part)])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.test_parts >= len(images):
                    raise TrainingError(f"out of memory even with one test image on {self.device} ({error})") from None
            self.test_parts *= 2
            self._free()

    def _free(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.forget_peak()  # of the attempt that failed

    def add_up(self, model: nn.Module, loss: float) -> float:
        """Add the gradients of all processes, in place, and return the sum of their ``loss``."""
        if self.world == 1:
            return loss
        total = torch.tensor(loss, dtype=torch.float64, device=self.device)
        pending = [distributed.all_reduce(total, async_op=True)]
        for parameter in (p for p in model.parameters() if p.requires_grad):
            if parameter.grad is None:  # this process had no image of the batch
                parameter.grad = torch.zeros_like(parameter)
            pending.append(distributed.all_reduce(parameter.grad, async_op=True))
        for work in pending:
            work.wait()
        return total.item()

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows of all processes, in the order of their ranks, on the CPU."""
        if self.world == 1:
            return tensor.cpu()
        rows: list[Any] = [None] * self.world
        distributed.all_gather_object(rows, tensor.cpu())
        return torch.cat(rows)

    def agree(self, value: Any) -> Any:
        """The main process's ``value``, for all processes."""
        if self.world == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, src=0, device=self.device)
        return shared[0]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Let the main process run the block (a download, say) before the others find what it left."""
        if self.world > 1 and not self.is_main:
            distributed.barrier()
        try:
            yield
        finally:
            if self.world > 1 and self.is_main:
                distributed.barrier()

    def plain(self) -> dict:
        """What a run record says of it."""
        return {"precision": self.precision, "compiled": self.compiled, "processes": self.world}
