"""Training pictures that are cropped as the rule says and never mirrored: for signs, text, left and right hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from bitdoc.training import loop
from bitdoc.training.job import Task
from bitdoc.training.loop import Batch
from bitdoc.training.recipe import Recipe

_RESIDENT = 1 << 30  # bytes of pictures that are kept in memory


def micro_batches(
    task: Task, recipe: Recipe, seed: int, device: torch.device
) -> Callable[[int], tuple[Iterator[Batch], int]]:
    """Make the micro-batches of a step, as ``bitdoc.training.finetune.micro_batches`` does, but for the mirror."""
    images = task.train
    if 3 * recipe.resize**2 * len(images) <= _RESIDENT:
        images = images.in_memory(recipe.resize)
    again = len(images) < recipe.batch // recipe.split

    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        indices = loop.sample_indices(len(images), recipe.batch, step, seed, replacement=again)
        rng = loop.generator(seed, "augment", step)
        cut = crop(images.fetch(indices, recipe.resize), recipe.crop, rng)
        x = loop.to_float(cut.to(device)).contiguous(memory_format=torch.channels_last)
        labels = images.labels[indices].to(device)
        return loop.mixed_micro_batches(x, labels, recipe.split, recipe.mixup, rng), len(x)

    return batch_at


def crop(images: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """Cut a random square of each picture: ``(N, 3, R, R)`` to ``(N, 3, side, side)``."""
    room = images.shape[-1] - side + 1
    places = torch.randint(room, (len(images), 2), generator=rng).tolist()
    return torch.stack(
        [x[:, top : top + side, left : left + side] for x, (top, left) in zip(images, places, strict=True)]
    )
