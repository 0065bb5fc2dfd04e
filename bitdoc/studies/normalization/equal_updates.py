"""Three norms at three batch sizes, each for the same number of updates and at its own learning rate; a look inside.

A narrow R14 learns from CIFAR-10 images of 32 pixels. Every norm has its learning rate chosen at every batch size, by
its mean accuracy over all seeds on training images held out for that; the runs of the rate that wins are the ones that
are shown, by their accuracy on the test images. A look inside the trained network tells how far its channels stand from
zero (:mod:`~bitdoc.studies.normalization.channels`). Every run leaves a record, and a study that was stopped goes on
where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import torch

from bitdoc import data
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.records import runs
from bitdoc.studies.normalization.batch_size import Task, chunks, slug
from bitdoc.studies.normalization.channels import look_inside
from bitdoc.training.loop import (
    Batch,
    TrainingError,
    crop_and_flip,
    evaluate,
    generator,
    mixed_micro_batches,
    sample_indices,
    to_float,
    train,
)

EXPERIMENT = "norm-equal-updates"

#: Norm, and whether the filters are standardized.
VARIANTS = {"BN": ("batch", False), "GN": ("group", False), "GN + WS": ("group", True)}
SEEDS = (0, 1, 2)
BATCHES, UPDATES = (2, 32, 128), 300

#: Learning rates to choose from, by batch size.
RATES = {2: (0.001, 0.003, 0.01), 32: (0.01, 0.03, 0.1), 128: (0.03, 0.1, 0.3)}

#: Held-out images on which the look inside is taken.
LOOKED_AT = 500


@dataclass(frozen=True)
class Run:
    """One run of the study: the norm, the batch, the peak learning rate, and what all runs share."""

    norm_kind: str
    standardized: bool
    batch: int
    lr: float
    seed: int = 0
    updates: int = UPDATES
    model: str = "R14x0.125"
    side: int = 32
    warmup: float = 0.1
    weight_decay: float = 1e-4

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"{slug(self.norm_kind, self.standardized)}_b{self.batch}_lr{self.lr:g}_s{self.seed}"

    def lr_at(self, step: int) -> float | None:
        """Linear warm-up to ``lr`` in the first tenth of the updates, then a straight line to 0; None at the end."""
        if step >= self.updates:
            return None
        warm = self.warmup * self.updates
        return self.lr * min((step + 1) / warm, (self.updates - step) / (self.updates - warm))


def fit(model: ResNetV2, run: Run, images: data.Images) -> tuple[list[float], int | None]:
    """Train with SGD and momentum 0.9; return all losses, and the step at which the loss left the finite numbers."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=run.weight_decay)
    losses: list[float] = []

    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        indices = sample_indices(len(images), run.batch, step, run.seed)
        pixels = crop_and_flip(images.fetch(indices), run.side, generator(run.seed, "flip", step))
        return mixed_micro_batches(to_float(pixels), images.labels[indices], 1, 0.0, generator(step)), run.batch

    try:
        train(model, optimizer, batch_at, run.lr_at, on_step=lambda step, lr, loss: losses.append(loss))
    except TrainingError:
        return losses, len(losses)
    return losses, None


def measure(run: Run, task: Task) -> None:
    """Train once, score on held-out and on test images, look inside, write the record; nothing if it exists."""
    if runs.exists(EXPERIMENT, run.name):
        return
    began = time.monotonic()
    torch.manual_seed(run.seed)
    model = build(run.model, len(task.train.classes), norm_kind=run.norm_kind, standardized=run.standardized)
    losses, diverged = fit(model, run, task.train)
    held_out, test = evaluate(model, chunks(task.held_out)), evaluate(model, chunks(task.test))
    # The images lie class by class: steps of equal width reach every class.
    spread_out = torch.linspace(0, len(task.held_out) - 1, min(LOOKED_AT, len(task.held_out))).long()
    looked_at = to_float(task.held_out.fetch(spread_out))
    tail = losses[-max(1, len(losses) // 10) :]
    result = {
        "held_out": round(held_out.top1, 3),
        "top1": round(test.top1, 3),
        "train_loss": round(sum(tail) / len(tail), 4) if tail and math.isfinite(sum(tail)) else None,
        "diverged_at": diverged,
    }
    setting = asdict(run) | {"train_images": len(task.train), "held_out_images": len(task.held_out)}
    curve = look_inside(model, looked_at) if diverged is None else {}
    setting |= {"layers": curve.pop("layer", [])}
    setting |= {"dataset": task.train.name, "encoding": task.train.encoding, "precision": "float32"}
    cost = {"seconds": round(time.monotonic() - began, 1)}
    runs.write(runs.made_now(EXPERIMENT, run.name, run.model, setting, result, curve=curve, cost=cost))


def chosen(name: str, batch: int) -> list[runs.RunRecord]:
    """Runs of one variant at one batch size, at the learning rate with the best mean accuracy on held-out images.

    Only rates that all seeds have been run at take part, so that a study half done is not misread. Empty without runs.
    """
    norm_kind, standardized = VARIANTS[name]
    records = runs.load(EXPERIMENT, norm_kind=norm_kind, standardized=standardized, batch=batch)
    rates = runs.group(records, "lr")
    most = max((len(group) for group in rates.values()), default=0)
    complete = [group for group in rates.values() if len(group) == most]
    return max(complete, key=lambda group: mean(record.result["held_out"] for record in group), default=[])


def run_equal_updates(
    task: Task,
    seeds: Iterable[int] = SEEDS,
    batches: Iterable[int] = BATCHES,
    report: Callable[[str], None] = print,
    **changes: Any,
) -> None:
    """Make every run of the study that has no record yet; ``changes`` replace fields of :class:`Run`."""
    seeds = list(seeds)
    for batch in batches:
        for name, kind in VARIANTS.items():
            for lr in RATES[batch]:
                for seed in seeds:
                    measure(Run(*kind, batch, lr, seed, **changes), task)
            best = chosen(name, batch)
            scores = ", ".join(f"{record.result['top1']:.1f}" for record in best)
            report(f"{name}, batch {batch}: learning rate {best[0].setting['lr']:g}, test accuracies {scores} %")
