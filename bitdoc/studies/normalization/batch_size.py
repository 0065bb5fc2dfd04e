"""The batch-size study of the normalization page: every image once, at each batch size, as the group-norm paper does.

A miniature: a narrow R14 on 48-pixel images, minutes instead of days. Every run leaves a record, and a study goes on
where it stopped. The learning rate is chosen at a batch of 32, on training images that are held out, never on test
images, and proportional to the batch elsewhere. Large batches would make too few updates of these images; another study
has the same number at each (:mod:`~bitdoc.studies.normalization.equal_updates`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from bitdoc import data
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.records import runs
from bitdoc.training.loop import (
    Batch,
    Score,
    TrainingError,
    crop_and_flip,
    evaluate,
    generator,
    mixed_micro_batches,
    sample_indices,
    to_float,
    train,
)
from bitdoc.training.pretrain import Upstream

#: The four networks of BiT's Tables 4 and 5: norm, and whether the filters are standardized.
VARIANTS = {"BN": ("batch", False), "BN + WS": ("batch", True), "GN": ("group", False), "GN + WS": ("group", True)}

#: Experiments in the run records.
BATCH_SIZE, BATCH_SIZE_CHOICE = "norm-batch-size", "norm-batch-size-choice"

BATCHES = (2, 4, 8, 16, 32)
SEEDS = (0, 1, 2)


def variant(record: runs.RunRecord) -> str:
    """Key in :data:`VARIANTS` of the network that a record belongs to."""
    kind = record.setting["norm_kind"], record.setting["standardized"]
    return next(name for name, value in VARIANTS.items() if value == kind)


def slug(norm_kind: str, standardized: bool) -> str:
    """Name of a variant in file names."""
    return f"{norm_kind}-{'ws' if standardized else 'plain'}"


@dataclass(frozen=True)
class Task:
    """Images to learn from and images to be scored on, all in memory at one size."""

    train: data.Images
    held_out: data.Images
    test: data.Images


def cifar(datadir: str | None, side: int, per_class: int, held_out: int = 200) -> Task:
    """CIFAR-10 at ``side`` pixels: ``per_class`` training images a class, ``held_out`` others, all test images."""
    images, test = data.load("cifar10", "train", datadir), data.load("cifar10", "test", datadir)
    aside = data.few_shot_indices(images.labels, held_out, seed=0)
    both = data.few_shot_indices(images.labels, held_out + per_class, seed=0)  # contains the images put aside
    rest = both[~torch.isin(both, aside)]
    return Task(*(part.in_memory(side) for part in (images.subset(rest), images.subset(aside), test)))


def chunks(images: data.Images) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels in batches of 256, for an evaluation."""
    for indices in torch.arange(len(images)).split(256):
        yield images.fetch(indices), images.labels[indices]


def fit(
    model: ResNetV2,
    images_at: Callable[[int], tuple[Tensor, Tensor]],
    lr_at: Callable[[int], float | None],
    weight_decay: float,
) -> tuple[list[float], int | None]:
    """Train with SGD and momentum 0.9; return all losses, and the step at which the loss left the finite numbers."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=weight_decay)
    losses: list[float] = []

    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        images, labels = images_at(step)
        return mixed_micro_batches(images, labels, 1, 0.0, generator(step)), len(images)

    try:
        train(model, optimizer, batch_at, lr_at, on_step=lambda step, lr, loss: losses.append(loss))
    except TrainingError:
        return losses, len(losses)
    return losses, None


def write(
    experiment: str, name: str, setting: dict, score: Score, fitted: tuple[list, int | None], began: float
) -> None:
    """Write the record of a run that :func:`fit` trained, begun at ``began`` by the monotonic clock."""
    losses, diverged = fitted
    tail = losses[-max(1, len(losses) // 10) :]
    result = {
        "top1": round(score.top1, 3),
        "loss": round(score.loss, 4) if math.isfinite(score.loss) else None,
        "train_loss": round(sum(tail) / len(tail), 4) if tail else None,
        "diverged_at": diverged,
    }
    cost = {"seconds": round(time.monotonic() - began, 1)}
    runs.write(runs.made_now(experiment, name, setting["model"], setting, result, cost=cost))


# ---- Batch size -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchSize:
    """One run of the batch-size study. ``base_lr`` is for 32 images; the learning rate is proportional to the batch."""

    norm_kind: str
    standardized: bool
    base_lr: float
    batch: int = 32
    seed: int = 0
    model: str = "R14x0.125"
    side: int = 48
    warmup: float = 0.1
    weight_decay: float = 1e-4

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"{slug(self.norm_kind, self.standardized)}_b{self.batch}_lr{self.base_lr:g}_s{self.seed}"

    def lr_at(self, step: int, steps: int) -> float | None:
        """Linear warm-up to ``base_lr * batch / 32``, then a straight line to 0."""
        linear = Upstream(batch=self.batch, base_lr=8 * self.base_lr, warmup=self.warmup, schedule="linear")
        return linear.lr_at(step, steps)


def measure_batch_size(choice: BatchSize, task: Task, scored_on: str, experiment: str) -> None:
    """Train once through the training images (each is seen once) and score; nothing if the record exists."""
    if runs.exists(experiment, choice.name):
        return
    began = time.monotonic()
    torch.manual_seed(choice.seed)
    model = build(choice.model, len(task.train.classes), norm_kind=choice.norm_kind, standardized=choice.standardized)
    steps = len(task.train) // choice.batch

    def images_at(step: int) -> tuple[Tensor, Tensor]:
        indices = sample_indices(len(task.train), choice.batch, step, choice.seed)
        images = crop_and_flip(task.train.fetch(indices), choice.side, generator(choice.seed, "flip", step))
        return to_float(images), task.train.labels[indices]

    fitted = fit(model, images_at, lambda step: choice.lr_at(step, steps), choice.weight_decay)
    scored = task.test if scored_on == "test" else task.held_out
    setting = asdict(choice) | data_setting(task, scored_on) | {"steps": steps}
    write(experiment, choice.name, setting, evaluate(model, chunks(scored)), fitted, began)


def data_setting(task: Task, scored_on: str) -> dict:
    """What a record says of the data."""
    return {
        "dataset": task.train.name,
        "encoding": task.train.encoding,
        "train_images": len(task.train),
        "scored_on": scored_on,
    }


def best_rate(experiment: str, variant_name: str) -> float:
    """Learning rate with the highest mean accuracy on held-out images among the records of ``experiment``."""
    norm_kind, standardized = VARIANTS[variant_name]
    records = runs.load(experiment, norm_kind=norm_kind, standardized=standardized)
    if not records:
        raise runs.RecordError(
            f"no records of {experiment!r} for {variant_name}; run the choice of learning rates first"
        )
    rates = runs.group(records, "base_lr")
    return max(rates, key=lambda rate: sum(r.result["top1"] for r in rates[rate]) / len(rates[rate]))


def run_batch_size(
    task: Task,
    seeds: Iterable[int] = SEEDS,
    batches: Iterable[int] = BATCHES,
    rates: Iterable[float] = (0.01, 0.03, 0.1, 0.3),
    report: Callable[[str], None] = print,
    **changes,
) -> None:
    """Choose each variant's learning rate at batch 32 on held-out images, then measure all batch sizes.

    ``changes`` replace fields of :class:`BatchSize`, such as the model.
    """
    seeds, batches = list(seeds), list(batches)
    for name, kind in VARIANTS.items():
        for rate in rates:
            measure_batch_size(BatchSize(*kind, rate, **changes), task, "held-out", BATCH_SIZE_CHOICE)
        report(f"{name}: learning rate {best_rate(BATCH_SIZE_CHOICE, name):g} at batch 32")
    for seed in seeds:
        for batch in batches:
            for name, kind in VARIANTS.items():
                choice = BatchSize(*kind, best_rate(BATCH_SIZE_CHOICE, name), batch, seed, **changes)
                measure_batch_size(choice, task, "test", BATCH_SIZE)
                top1 = runs.read(runs.path_of(BATCH_SIZE, choice.name)).result["top1"]
                report(f"{name}, batch {batch}, seed {seed}: {top1:.1f} %")
