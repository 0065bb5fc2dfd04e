"""``nox -s bench``: how fast the package is beside what one would use otherwise, both measured in turn in one run.

Prints the ratios and writes them as one run record, ``bitdoc/records/results/performance/bench.json``, which the
performance page shows. Times are the best of several repetitions: where a machine does other work too, the best comes
closest to the code's own time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import timm
import torch
from torch import nn
from torch.nn import functional as F

from bitdoc import data
from bitdoc.network import cost
from bitdoc.network.norms import StdConv2d, standardize, standardized_once
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.records.age import code_version
from bitdoc.training import finetune, recipe
from bitdoc.training.finetune import _batch_at
from bitdoc.training.loop import accumulate, generator, mixed_micro_batches, train


def best(*functions: Callable[[], object], times: int, calls: int = 1) -> list[float]:
    """Best time of each function in seconds, the functions taken in turn for some calls, after one each to warm up."""
    for function in functions:
        function()
    found = [float("inf")] * len(functions)
    for _ in range(times):
        for i, function in enumerate(functions):
            for _ in range(calls):
                began = time.perf_counter()
                function()
                found[i] = min(found[i], time.perf_counter() - began)
    return found


class Fixed(nn.Module):
    """The network with its filters standardized for good: what is left to run when nothing is trained any more."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        with standardized_once(model):
            for module in [m for m in model.modules() if isinstance(m, StdConv2d)]:
                module.weight.data = module.shared.detach().clone()
        for module in [m for m in model.modules() if isinstance(m, StdConv2d)]:
            module.__class__ = nn.Conv2d

    def forward(self, x):
        return self.model(x)


@torch.no_grad()
def evaluation(times: int, side: int = 128, compiled: bool = True) -> dict:
    """Images a second of R50x1, batch 32, against timm's network of the same name as it comes.

    The rate of the machine is the best of many sizes of matrices, before and after.
    """
    limits = [cost.best_matmul_rate(torch.device("cpu"))]
    x = torch.randn(32, 3, side, side)
    theirs = timm.create_model("resnetv2_50x1_bit", num_classes=10).eval()
    ours = build("R50x1", 10).eval().to(memory_format=torch.channels_last)
    closer = x.contiguous(memory_format=torch.channels_last)
    with standardized_once(ours):
        # A test set is many batches of one network in a row; a single call would also pay for getting back memory
        # that the other network's call has given away.
        slow, fast = best(lambda: theirs(x), lambda: ours(closer), times=times, calls=3)
    limits.append(cost.best_matmul_rate(torch.device("cpu")))
    operations = 32 * cost.operations("R50x1", side)
    result = {"timm": 32 / slow, "bitdoc": 32 / fast, "ratio": slow / fast}
    reached = {"share_of_matmul_rate": operations / fast}
    if compiled:
        torch._inductor.config.freezing = True
        frozen = torch.compile(Fixed(ours).eval())
        again, quickest = best(lambda: theirs(x), lambda: frozen(closer), times=times, calls=3)
        result |= {"compiled": 32 / quickest, "compiled_ratio": again / quickest}
        reached["compiled_share_of_matmul_rate"] = operations / quickest
        limits.append(cost.best_matmul_rate(torch.device("cpu")))
    return result | shares(reached, limits)


def shares(reached: dict[str, float], limits: list[float]) -> dict:
    """Each rate as a share of the highest limit measured; None, said aloud, where it is no share of it."""
    limit = max(limits)
    for name, rate in reached.items():
        if rate > limit:
            print(
                f"{name}: {rate / 1e9:.0f} GFLOP/s are above the {limit / 1e9:.0f} measured for matrices, which is "
                f"then no limit; repeat the bench on an idle machine"
            )
    found = {name: rate / limit if rate <= limit else None for name, rate in reached.items()}
    return found | {"matmul_rate": limit, "matmul_rates": limits}


def step(times: int, arch: str = "R50x3", side: int = 64) -> dict:
    """One optimizer step, batch 32 in 8 micro-batches, against one that standardizes for every micro-batch.

    The other step standardizes by the formula, as the official code does; and, for comparison, by one fused call.
    """
    torch.manual_seed(0)
    model = build(arch, 10, zero_head=False).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    x = torch.randn(32, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(32) % 10

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        accumulate(model, mixed_micro_batches(x, labels, 8, 0.0, generator(0)), 32)
        optimizer.step()

    def per_micro_batch() -> None:
        optimizer.zero_grad(set_to_none=True)
        for images, target in zip(x.tensor_split(8), labels.tensor_split(8), strict=True):
            (F.cross_entropy(model(images), target) / 8).backward()
        optimizer.step()

    def by_the_formula() -> None:
        with mock.patch("bitdoc.network.norms.standardize_fused", standardize):
            per_micro_batch()

    gradients = []
    for function in (once, per_micro_batch):  # the same arithmetic: only the order of the sums differs
        function()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    gap = ((gradients[0] - gradients[1]).norm() / gradients[1].norm()).item()
    del gradients
    fast, slow, fused = best(once, by_the_formula, per_micro_batch, times=times)
    result = {"once": fast, "per_micro_batch": slow, "ratio": slow / fast}
    return result | {"fused": fused, "fused_ratio": fused / fast, "gradient_gap": gap}


def overhead(steps: int) -> dict:
    """Time of a few-shot step outside the network: drawing, cropping, batching, bookkeeping; and processes started."""
    pixels = torch.randint(0, 256, (50, 3, 32, 32), dtype=torch.uint8)
    images = data.Images("cifar10", "train", "made", data.CIFAR10_CLASSES, torch.arange(50) % 10, pixels)
    made = recipe.miniature(50)
    batch_at = _batch_at(finetune.Task(images, images, {}), made, 0, torch.device("cpu"))
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
    clock, started = [], []

    def watched(step: int):
        began = time.perf_counter()
        micro_batches, total = batch_at(step)
        micro_batches = iter(list(micro_batches))
        clock.append(time.perf_counter() - began)
        started.append(len(children()) + threading.active_count())
        return micro_batches, total

    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    began = time.perf_counter()
    train(model, optimizer, watched, lambda s: 0.0 if s < steps else None)
    whole = (time.perf_counter() - began) / steps
    new = max(started[1:]) - started[1]
    return {"milliseconds": 1e3 * min(clock), "median": 1e3 * statistics.median(clock), "loop": 1e3 * whole, "new": new}


def children() -> list[str]:
    """Child processes of this one, where the system tells (Linux)."""
    found = Path("/proc/self/task").glob("*/children")
    return [child for file in found for child in file.read_text().split()]


#: Measures the peak of one phase in a process of its own, as the growth of its high-water mark.
PEAK = """
import sys, torch
from bitdoc.network.resnet import build
from bitdoc.training.loop import accumulate, generator, mixed_micro_batches
torch.set_num_threads({threads})
def peak():  # Linux; a child's ru_maxrss would begin at its parent's
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
phase, arch, side, split = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
x, y = torch.randn(32, 3, side, side).contiguous(memory_format=torch.channels_last), torch.arange(32) % 10
before = peak()
model = build(arch, 10).to(memory_format=torch.channels_last)
if phase == "first":
    n = 32 // split
    accumulate(model, mixed_micro_batches(x[:n], y[:n], 1, 0.0, generator(0)), n)
else:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        accumulate(model, mixed_micro_batches(x, y, split, 0.0, generator(0)), 32)
        optimizer.step()
print(1024 * (peak() - before))
"""


def peak_memory(arch: str = "R50x3", side: int = 64, split: int = 8) -> dict:
    """Peak of a step in micro-batches beside that of its first micro-batch plus gradients and momentum, in bytes."""
    peaks = {}
    for phase in ("first", "step"):
        code = PEAK.format(threads=torch.get_num_threads())
        command = [sys.executable, "-c", code, phase, arch, str(side), str(split)]
        peaks[phase] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    parts = cost.memory(arch, side, 32, split)
    allowed = peaks["first"] + parts.gradients + parts.momentum
    return {"first": peaks["first"], "step": peaks["step"], "ratio": peaks["step"] / allowed, "estimate": parts.total}


def main() -> None:
    """Measure, print, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="small networks and few repetitions; nothing is written")
    parser.add_argument("--threads", type=int, default=2)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    small = {"arch": "R14x0.25", "side": 32} if flags.quick else {}
    version = code_version()
    parts: dict[str, Callable[[], dict]] = {
        "evaluation": lambda: evaluation(1 if flags.quick else 4, 64 if flags.quick else 128, compiled=not flags.quick),
        "step": lambda: step(1 if flags.quick else 2, **small),
        "overhead": lambda: overhead(20 if flags.quick else 100),
        "memory": lambda: peak_memory(**small),
    }
    result = {}
    for name, measure in parts.items():
        result[name] = measure()
        print(name, json.dumps(result[name], indent=1), flush=True)
    if flags.quick:
        return
    record = runs.RunRecord(
        experiment="performance",
        name="bench",
        model="R50x3",
        setting={"threads": flags.threads, "timm": timm.__version__},
        result=result,
        environment=runs.environment(),
        code=version,
        date=runs.now(),
    )
    print(f"wrote {runs.write(record)}")


if __name__ == "__main__":
    main()
