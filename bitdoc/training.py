"""The one training loop, upstream and downstream, and the evaluation that goes with it.

Randomness is a function of ``(seed, step)``: which images, where they are cropped, how they are mixed. A run that was
killed therefore continues from its checkpoint exactly as if it had not been.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.files import written_atomically
from bitdoc.mixup import draw_lambda, mix, mixed_cross_entropy
from bitdoc.norms import standardized_once


class TrainingError(RuntimeError):
    """Training that cannot go on, with one line that says why."""


@dataclass(frozen=True)
class Batch:
    """One micro-batch: images ``(N, 3, H, W)`` in [-1, 1], labels, and how they are mixed (``lam = 1``: not)."""

    images: Tensor
    labels: Tensor
    lam: float
    partner: Tensor


def generator(*key: object) -> torch.Generator:
    """A CPU generator seeded by a hash of ``key``, such as ``generator(seed, "crop", step)``."""
    seed = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(seed[:7], "little"))


def sample_indices(examples: int, batch: int, step: int, seed: int, *, replacement: bool = False) -> Tensor:
    """Which images make up the batch of one step.

    Without replacement the epochs' permutations are read as one endless stream, so that every batch is full and each
    image is seen once an epoch. With replacement every draw is independent.
    """
    if replacement:
        return torch.randint(examples, (batch,), generator=generator(seed, "draw", step))
    first, last = step * batch, (step + 1) * batch - 1
    epochs = range(first // examples, last // examples + 1)
    stream = torch.cat([torch.randperm(examples, generator=generator(seed, "epoch", e)) for e in epochs])
    start = first - epochs[0] * examples
    return stream[start : start + batch]


def to_float(images: Tensor) -> Tensor:
    """Scale uint8 pixels to [-1, 1], the range that all BiT weights expect."""
    return images.float().div_(127.5).sub_(1)


def crop_and_flip(images: Tensor, crop: int, rng: torch.Generator) -> Tensor:
    """Crop a random square and mirror every other image at random.

    ``images`` is uint8 ``(N, 3, R, R)``; returns uint8 ``(N, 3, crop, crop)``.
    """
    n, _, height, width = images.shape
    top = torch.randint(height - crop + 1, (n,), generator=rng)
    left = torch.randint(width - crop + 1, (n,), generator=rng)
    flip = torch.rand(n, generator=rng) < 0.5
    span = torch.arange(crop)
    rows = top[:, None] + span
    columns = left[:, None] + torch.where(flip[:, None], span.flip(0), span)
    place = [index.to(images.device) for index in (torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None])]
    return images.permute(0, 2, 3, 1)[place[0], place[1], place[2]].permute(0, 3, 1, 2)


def random_resized_crop(images: Tensor, side: int, area: tuple[float, float], rng: torch.Generator) -> Tensor:
    """Inception-style crop (Szegedy et al. 2015) with a random mirror: the upstream augmentation.

    Each image keeps a random share ``area`` of its surface at an aspect ratio of 3/4 to 4/3. ``images`` is uint8
    ``(N, 3, H, W)``; returns float ``(N, 3, side, side)`` in [-1, 1].
    """
    n = len(images)
    share = torch.empty(n).uniform_(*area, generator=rng)
    ratio = torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3), generator=rng).exp()
    width, height = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    centre_x = (torch.rand(n, generator=rng) * 2 - 1) * (1 - width)
    centre_y = (torch.rand(n, generator=rng) * 2 - 1) * (1 - height)
    mirror = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    zero = torch.zeros(n)
    affine = torch.stack([mirror * width, zero, centre_x, zero, height, centre_y], 1).reshape(n, 2, 3)
    grid = F.affine_grid(affine.to(images.device), [n, 3, side, side], align_corners=False)
    return F.grid_sample(to_float(images), grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def mixed_micro_batches(
    images: Tensor, labels: Tensor, split: int, alpha: float, rng: torch.Generator
) -> Iterator[Batch]:
    """Cut a batch into ``split`` micro-batches that share one MixUp λ, each mixed with a permutation of itself."""
    lam = draw_lambda(alpha, rng)
    for x, y in zip(images.tensor_split(split), labels.tensor_split(split), strict=True):
        partner = torch.randperm(len(x), generator=rng).to(x.device)
        yield Batch(mix(x, lam, partner), y, lam, partner)


def accumulate(model: nn.Module, micro_batches: Iterator[Batch], total: int) -> float:
    """Add the gradients of a batch, one micro-batch after the other; return its mean loss.

    Weights are standardized once for all micro-batches; with group norm the sum equals the gradient of the undivided
    batch, which with batch norm it would not.
    """
    loss_sum = 0.0
    with standardized_once(model):
        for batch in micro_batches:
            loss = mixed_cross_entropy(model(batch.images), batch.labels, batch.lam, batch.partner)
            (loss * (len(batch.images) / total)).backward()
            loss_sum += loss.item() * len(batch.images)
    return loss_sum / total


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch_at: Callable[[int], tuple[Iterator[Batch], int]],
    lr_at: Callable[[int], float | None],
    *,
    start: int = 0,
    on_step: Callable[[int, float, float], None] | None = None,
) -> int:
    """Train until ``lr_at`` returns None; return the number of steps reached.

    Parameters
    ----------
    batch_at : callable
        Step to (micro-batches, images in all of them).
    lr_at : callable
        Step to learning rate, or None at the end.
    start : int
        First step to make, for a resumed run.
    on_step : callable
        Called with (step, learning rate, loss) after each update.

    Raises
    ------
    TrainingError
        If the loss is not finite; the update of that step is not made.
    """
    model.train()
    for step in itertools.count(start):
        lr = lr_at(step)
        if lr is None:
            return step
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        loss = accumulate(model, *batch_at(step))
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} at step {step} (learning rate {lr:g}); try a lower --base_lr")
        optimizer.step()
        if on_step:
            on_step(step, lr, loss)
    raise AssertionError("unreachable")


@dataclass(frozen=True)
class Score:
    """Result of an evaluation: shares of correct answers in percent, mean cross-entropy, and the logits."""

    top1: float
    top5: float
    loss: float
    logits: Tensor


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]]) -> Score:
    """Score ``model`` on batches of (uint8 or float images ``(N, 3, H, W)``, labels)."""
    model.eval()
    logits, labels = [], []
    with standardized_once(model):
        for images, target in batches:
            x = to_float(images) if images.dtype == torch.uint8 else images
            logits.append(model(x.contiguous(memory_format=torch.channels_last)).float())
            labels.append(target)
    if not logits:
        raise TrainingError("nothing to evaluate: the test set is empty")
    scores, target = torch.cat(logits), torch.cat(labels)
    best = scores.topk(min(5, scores.shape[1]), dim=1).indices == target[:, None]
    return Score(
        top1=100 * best[:, 0].float().mean().item(),
        top5=100 * best.any(1).float().mean().item(),
        loss=F.cross_entropy(scores, target).item(),
        logits=scores.cpu(),
    )


def save_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, tag: str) -> None:
    """Write model, momentum and step atomically; ``tag`` names the run, so that no other run takes them up."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "tag": tag}
    whole = io.BytesIO()  # serialized first, so that the older checkpoint moves aside only for a whole new one
    torch.save(state, whole)
    with written_atomically(path) as file:
        file.write(whole.getbuffer())
        if path.exists():
            os.replace(path, path.with_suffix(".previous"))


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, tag: str) -> int:
    """Load the newest whole checkpoint of the run ``tag``; return the step to go on from, 0 if there is none.

    A checkpoint that is damaged is passed over, with a warning, for the one before it.

    Raises
    ------
    TrainingError
        If the checkpoint belongs to another run.
    """
    for candidate in (path, path.with_suffix(".previous")):
        if not candidate.exists():
            continue
        try:
            state = torch.load(candidate, map_location="cpu", weights_only=True)
            found = state["tag"]
        except Exception as error:  # torch.load raises half a dozen kinds of errors on a damaged file
            print(f"warning: {candidate} is damaged and is passed over ({type(error).__name__})", flush=True)
            continue
        if found != tag:
            raise TrainingError(
                f"{candidate} belongs to another run ({found}), not to {tag}; remove it or rename the run"
            )
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])
    return 0
