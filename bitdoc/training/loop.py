"""The one training loop, upstream and downstream, and the evaluation that goes with it.

Randomness is a function of ``(seed, step)``: which images, where they are cropped, how they are mixed. A run that was
killed therefore continues from its checkpoint exactly as if it had not been.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.network.norms import standardized_once
from bitdoc.training.engine import Engine, TrainingError, is_out_of_memory
from bitdoc.training.mixup import draw_lambda, mix


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
    stream = torch.cat([_epoch(examples, seed, e) for e in epochs])
    start = first - epochs[0] * examples
    return stream[start : start + batch]


@lru_cache(maxsize=2)
def _epoch(examples: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(examples, generator=generator(seed, "epoch", epoch))


def to_float(images: Tensor) -> Tensor:
    """Scale uint8 pixels to [-1, 1], the range that all BiT weights expect."""
    return images.float().div_(127.5).sub_(1)


def crop_and_flip(images: Tensor, crop: int, rng: torch.Generator, indices: Tensor | None = None) -> Tensor:
    """Crop a random square and mirror every other image at random.

    ``images`` is uint8 ``(M, 3, R, R)``; ``indices`` ``(N,)`` says which of them to crop, by default each once. Returns
    uint8 ``(N, 3, crop, crop)``.
    """
    indices = torch.arange(len(images)) if indices is None else indices
    n, _, height, width = len(indices), *images.shape[1:]
    top = torch.randint(height - crop + 1, (n,), generator=rng)
    left = torch.randint(width - crop + 1, (n,), generator=rng)
    flip = torch.rand(n, generator=rng) < 0.5
    cut = _cut_one_by_one if images.device.type == "cpu" else _cut_at_once
    return cut(images, crop, indices, top, left, flip)


def _cut_one_by_one(images: Tensor, crop: int, *places: Tensor) -> Tensor:
    """Rows of pixels are copied as they are, which on a CPU is many times quicker than indexing pixel by pixel."""
    crops = images.new_empty((len(places[0]), 3, crop, crop)).contiguous(memory_format=torch.channels_last)
    for out, index, top, left, flip in zip(crops, *(place.tolist() for place in places), strict=True):
        cut = images[index, :, top : top + crop, left : left + crop]
        out.copy_(cut.flip(-1) if flip else cut)
    return crops


def _cut_at_once(images: Tensor, crop: int, indices: Tensor, top: Tensor, left: Tensor, flip: Tensor) -> Tensor:
    """A few calls for all images: what a graphics card is quick at."""
    place = [where.to(images.device) for where in (indices, top, left)]
    crops = images.unfold(2, crop, 1).unfold(3, crop, 1)[place[0], :, place[1], place[2]]
    return torch.where(flip.to(images.device)[:, None, None, None], crops.flip(-1), crops)


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


def accumulate(model: nn.Module, micro_batches: Iterator[Batch], total: int, engine: Engine | None = None) -> float:
    """Add the gradients of a batch, one micro-batch after the other; return its mean loss.

    Weights are standardized once for all micro-batches; with group norm the sum equals the gradient of the undivided
    batch, which with batch norm it would not. For the same reason a micro-batch, once mixed, may be cut further, into
    parts that fit into memory or that several processes share.
    """
    engine = engine or Engine()
    losses = []
    with standardized_once(model):
        for batch in micro_batches:
            for images, labels, partners in engine.share(batch.images, batch.labels, batch.labels[batch.partner]):
                with engine.autocast():
                    loss = _mixed_loss(model(images), labels, partners, batch.lam)
                engine.scaler.scale(loss * (len(images) / total)).backward()
                losses.append((loss.detach(), len(images)))
    if not losses:  # no image of this step is this process's, but its scaler has to start like the others'
        engine.scaler.scale(torch.zeros((), device=engine.device))
    # The numbers are asked for at the end: each question waits until the device has caught up.
    return engine.add_up(model, sum(loss.item() * images for loss, images in losses)) / total


def _mixed_loss(logits: Tensor, labels: Tensor, partners: Tensor, lam: float) -> Tensor:
    """:func:`bitdoc.training.mixup.mixed_cross_entropy` with the labels of partners that may lie in another part."""
    loss = F.cross_entropy(logits, labels)
    return loss if lam == 1 else lam * loss + (1 - lam) * F.cross_entropy(logits, partners)


def _step_within_memory(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch_at: Callable[[int], tuple[Iterator[Batch], int]],
    step: int,
    engine: Engine,
) -> float:
    """Gradients and loss of one step; where memory runs out, of the same batch again, in parts half as large."""
    while True:
        optimizer.zero_grad(set_to_none=True)
        try:
            return accumulate(model, *batch_at(step), engine)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0]
        engine.halve(reason)  # here, where the error no longer holds on to what was computed


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch_at: Callable[[int], tuple[Iterator[Batch], int]],
    lr_at: Callable[[int], float | None],
    *,
    start: int = 0,
    on_step: Callable[[int, float, float], None] | None = None,
    engine: Engine | None = None,
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
    engine : Engine, optional
        Precision, processes and memory; by default float32 on the CPU.

    Raises
    ------
    TrainingError
        If the loss is not finite (the update of that step is not made), or not even one image fits into memory.
    """
    engine = engine or Engine()
    model.train()
    for step in itertools.count(start):
        lr = lr_at(step)
        if lr is None:
            return step
        for group in optimizer.param_groups:
            group["lr"] = lr
        loss = _step_within_memory(model, optimizer, batch_at, step, engine)
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} at step {step} (learning rate {lr:g}); try a lower --base_lr")
        engine.scaler.step(optimizer)
        engine.scaler.update()
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


def result_of(score: Score, images: int) -> dict[str, float]:
    """What the record of a pre-training says of its score on ``images`` images."""
    return {"top1": score.top1, "top5": score.top5, "loss": score.loss, "images": images}


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], engine: Engine | None = None) -> Score:
    """Score ``model`` on batches of (uint8 or float images ``(N, 3, H, W)``, labels).

    Filters are standardized once for all batches. Of several processes each brings its own share of the batches, and
    all return the score of the whole.
    """
    engine = engine or Engine()
    model.eval()

    def answer(images: Tensor) -> Tensor:
        x = to_float(images) if images.dtype == torch.uint8 else images
        with engine.autocast():
            return model(x.contiguous(memory_format=torch.channels_last)).float()

    logits, labels = [], []
    with standardized_once(model):
        for images, target in batches:
            logits.append(engine.in_parts(answer, images))
            labels.append(target)
    if not logits:
        raise TrainingError("nothing to evaluate: the test set is empty")
    scores, target = engine.gather(torch.cat(logits)), engine.gather(torch.cat(labels))
    best = scores.topk(min(5, scores.shape[1]), dim=1).indices == target[:, None]
    return Score(
        top1=100 * best[:, 0].float().mean().item(),
        top5=100 * best.any(1).float().mean().item(),
        loss=F.cross_entropy(scores, target).item(),
        logits=scores,
    )
