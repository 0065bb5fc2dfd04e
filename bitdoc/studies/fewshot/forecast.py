"""What ``--dry-run`` prints: the runs to make, and roughly what memory and time they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bitdoc.network import cost
from bitdoc.studies.fewshot.flags import Order, arch_of
from bitdoc.training.engine import pick_device, pick_precision
from bitdoc.training.recipe import Recipe, Upstream

TEST_IMAGES = 10_000


def print_plan(todo: Sequence[Any], recipes: list[Recipe], made: list[bool], order: Order) -> int:
    """Print every run that has no record, and the memory and time of all; returns the exit status.

    Nothing is downloaded. Memory is worked out from the network; time from its operations and from how fast this
    device multiplies matrices.
    """
    missing = [(run, recipe) for run, recipe, is_made in zip(todo, recipes, made, strict=True) if not is_made]
    print(f"{len(todo)} runs, {len(todo) - len(missing)} of them done")
    for run, recipe in missing:
        images = recipe.schedule[-1] * recipe.batch
        print(
            f"  {run.name}: {recipe.schedule[-1]} steps, {images:,} images of {recipe.crop} px to train, 10,000 to test"
        )
    if missing:
        _print_cost([(arch_of(run.model), recipe) for run, recipe in missing], order)
    return 0


def _print_cost(missing: list[tuple[str, Recipe]], order: Order) -> None:
    """Cost every run by its own network, its own steps and its own size; the memory is that of the largest."""
    device = pick_device()
    precision = pick_precision(device, order.precision)
    rate = cost.matmul_rate(device, precision)
    print(f"on {device} in {precision}, estimated:")
    if order.method != "linear-probe":
        needs = [(cost.memory(a, r.crop, r.batch, r.split, precision), a, r) for a, r in dict.fromkeys(missing)]
        parts, arch, recipe = max(needs, key=lambda need: need[0].total)
        print(f"  memory: {gigabytes(parts.total)} with --batch_split {recipe.split}{_whose(arch, missing)}")
        print("    " + ", ".join(f"{key} {gigabytes(value)}" for key, value in vars(parts).items()))
        if device.type == "cuda":
            room = torch.cuda.get_device_properties(device).total_memory
            fits = cost.split_that_fits(arch, recipe.crop, recipe.batch, room, precision)
            print(f"    this card has {gigabytes(room)}: --batch_split {fits or 'none fits'}")
    each = [_seconds(arch, recipe, order, rate) for arch, recipe in missing]
    ends = list(dict.fromkeys(map(duration, (min(each), max(each)))))
    print(f"  time: {' to '.join(ends)} a run, {duration(sum(each))} in all")
    for wanted in order.wanted.missing():
        _print_pre_training(wanted.choice, rate, order)


def _whose(arch: str, missing: list[tuple[str, Recipe]]) -> str:
    return f", for {arch}" if len({name for name, _ in missing}) > 1 else ""


def _seconds(arch: str, recipe: Recipe, order: Order, rate: float) -> float:
    trained = 0 if order.method == "linear-probe" else recipe.schedule[-1] * recipe.batch
    return cost.seconds(arch, recipe.crop, trained, TEST_IMAGES, rate)


def _print_pre_training(choice: Upstream, rate: float, order: Order) -> None:
    plan = choice.plan(round(choice.fraction * 100_000))
    before = [0, *(last for last, _ in plan)]
    steps = [(last - first, side) for first, (last, side) in zip(before, plan, strict=False)]
    long = sum(cost.seconds(choice.model, side, choice.batch * n, 0, rate) for n, side in steps)
    bound = f", bounded by --minutes {order.minutes:g}" if order.minutes else ""
    what = f"pre-training {choice.model} on Tiny ImageNet"
    print(f"  first, {what}: {plan[-1][0]:,} steps, {duration(long)}{bound}")


def gigabytes(size: float) -> str:
    """``1.5 GB``, in units of 2**30 bytes."""
    return f"{size / 2**30:.1f} GB" if size >= 2**30 / 20 else f"{size / 2**20:.0f} MB"


def duration(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``3.5 h``."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
