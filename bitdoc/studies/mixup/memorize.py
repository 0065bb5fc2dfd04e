"""Where MixUp should work: a small network from random weights that sees few images until it has memorized them.

Without MixUp it ends at the labels it was given, whatever they are: the true ones, or ones of which a share is random.
Runs of one seed share their images, random labels, first weights, order and mirrors, whatever α is, and can be compared
in pairs. The learning rate is the better of two for training *without* MixUp on held-out training images. A later trial
found a higher one better still; with true labels the ends of the scale of α are repeated there.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from bitdoc import data
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.network.small_maps import with_products
from bitdoc.records import runs
from bitdoc.records.age import code_version
from bitdoc.studies.fewshot import make_runs as fewshot
from bitdoc.studies.mixup.study import calibration, random_labels
from bitdoc.training.finetune import Engine, Task, test_batches
from bitdoc.training.loop import (
    Batch,
    crop_and_flip,
    evaluate,
    generator,
    mixed_micro_batches,
    sample_indices,
    to_float,
    train,
)

EXPERIMENT, CHOICE, REPEAT = "mixup-memorize", "mixup-memorize-choice", "mixup-memorize-best-rate"
MODEL = "R14x0.125"
ALPHAS = (0.0, 0.1, 0.4, 1.0)
#: Strengths that Zhang et al. (2018, Sec. 3.4) used against wrong labels.
STRONG = (8.0, 32.0)
#: Shares of random labels.
NOISE = (0.4, 0.0)
SEEDS = (0, 1, 2, 3, 4)
PER_CLASS, PASSES, BATCH, SIDE = 200, 100, 128, 32
WEIGHT_DECAY, WARMUP = 1e-4, 0.05
#: Rates tried without MixUp on clean labels; the records are in ``CHOICE``.
RATES = (0.03, 0.1, 0.3, 1.0)
#: The rate of the study, better of the first two; the best of all, at which no and the strongest MixUp are repeated.
BASE_LR, BEST_LR = 0.1, 0.3
#: The curves are measured this many times a run, on the first of these test images a class.
POINTS, CURVE_PER_CLASS = 20, 200


@dataclass(frozen=True)
class Run:
    """One training: α, share of random labels, seed; ``held_out``: scored on training images that are put aside."""

    alpha: float
    noise: float
    seed: int
    base_lr: float = BASE_LR
    held_out: bool = False

    @property
    def name(self) -> str:
        """Name of the record."""
        rate = f"_base_lr={self.base_lr:g}" if self.held_out or self.base_lr != BASE_LR else ""
        return f"noise={self.noise:g}_alpha={self.alpha:g}_{self.seed}{rate}"

    @property
    def experiment(self) -> str:
        """Experiment the record belongs to."""
        if self.held_out:
            return CHOICE
        return EXPERIMENT if self.base_lr == BASE_LR else REPEAT


def plan() -> list[Run]:
    """The choice of the learning rate, then all runs, the ends of the scale of α first; then these at the best rate.

    At the end come the strengths that are made for wrong labels.
    """
    rates = [Run(0.0, 0.0, 0, rate, held_out=True) for rate in RATES]
    ends = (min(ALPHAS), max(ALPHAS))
    order = (ends, tuple(alpha for alpha in ALPHAS if alpha not in ends))
    every = [(n, s, a) for alphas in order for n, s, a in itertools.product(NOISE, SEEDS, alphas)]
    repeated = [Run(alpha, 0.0, seed, BEST_LR) for seed, alpha in itertools.product(SEEDS, ends)]
    strong = [Run(alpha, noise, seed) for noise, alpha, seed in itertools.product(NOISE, STRONG, SEEDS)]
    return rates + [Run(alpha, noise, seed) for noise, seed, alpha in every] + repeated + strong


def lr_at(step: int, steps: int, base_lr: float) -> float | None:
    """Linear warm-up, then a straight line to 0; None at the end."""
    ramp = max(1, round(WARMUP * steps))
    if step >= steps:
        return None
    return base_lr * min((step + 1) / ramp, (steps - step) / (steps - ramp))


def task_of(run: Run, images: data.Images, test: data.Images) -> tuple[Task, Tensor]:
    """The run's images with the labels it is given, and their true labels ``(N,)``."""
    task = Task.choose(images, test, PER_CLASS, run.seed)
    true = task.train.labels
    given = random_labels(true, run.noise, len(images.classes), generator(run.seed, "random labels", run.noise))
    return replace(task, train=replace(task.train, labels=given)), true


class _Watch:
    """Called after each step; measures the accuracy on the training images, as labeled, and on test images."""

    def __init__(self, network: ResNetV2, task: Task, steps: int) -> None:
        self.network, self.steps = network, steps
        few = data.few_shot_indices(task.test.labels, min(CURVE_PER_CLASS, int(task.test.labels.bincount().min())), 0)
        self.parts = {"train": task.train, "test": task.test.subset(few)}
        self.curve: dict[str, list] = {"pass": [], "train": [], "test": []}
        self.examples = len(task.train)

    def __call__(self, step: int, lr: float, loss: float) -> None:
        if (step + 1) % max(1, self.steps // POINTS):
            return
        self.curve["pass"].append(round((step + 1) * BATCH / self.examples, 1))
        for name, images in self.parts.items():
            self.curve[name].append(round(evaluate(self.network, _whole(images)).top1, 2))
        self.network.train()


def _whole(images: data.Images) -> Iterator[tuple[Tensor, Tensor]]:
    return test_batches(images, SIDE, torch.device("cpu"), 500)


def fit(run: Run, task: Task, model: str = MODEL, passes: int = PASSES) -> tuple[ResNetV2, dict[str, list]]:
    """Train the network of ``run``; return it and its curve: passes, accuracies on training and test images."""
    images, engine = task.train.in_memory(SIDE), Engine()
    assert images.pixels is not None
    pixels = images.pixels.contiguous(memory_format=torch.channels_last)
    torch.manual_seed(run.seed)
    network = with_products(engine.place(build(model, len(images.classes))))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9, weight_decay=WEIGHT_DECAY)
    steps = math.ceil(passes * len(images) / BATCH)

    def batch_at(step: int) -> tuple[Iterator[Batch], int]:
        indices, rng = sample_indices(len(images), BATCH, step, run.seed), generator(run.seed, "augment", step)
        x = to_float(crop_and_flip(pixels, SIDE, rng, indices)).contiguous(memory_format=torch.channels_last)
        return mixed_micro_batches(x, images.labels[indices], 1, run.alpha, rng), len(x)

    watch = _Watch(network, replace(task, train=images), steps)
    train(network, optimizer, batch_at, lambda step: lr_at(step, steps, run.base_lr), on_step=watch, engine=engine)
    return network, watch.curve


def make(run: Run, images: data.Images, test: data.Images, model: str = MODEL, passes: int = PASSES) -> runs.RunRecord:
    """Make one run and return its record."""
    version, began, computing = code_version(), time.monotonic(), time.process_time()
    task, true = task_of(run, images, test)
    network, curve = fit(run, task, model, passes)
    cost = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - computing}
    seen, score = (evaluate(network, _whole(part)) for part in (task.train, task.test))
    answers, wrong = seen.logits.argmax(1), task.train.labels != true
    result = {
        "top1": round(score.top1, 3),
        "loss": round(score.loss, 4),
        "train": round(seen.top1, 3),
        "train_true": _share(answers == true),
        "wrong_fitted": _share((answers == task.train.labels)[wrong]) if wrong.any() else None,
        "train_confidence": _share(seen.logits.softmax(1).amax(1)),
    }
    chosen = {"mixup": run.alpha, "random_labels": run.noise, "wrong_labels": int(wrong.sum()), "seed": run.seed}
    recipe = {"base_lr": run.base_lr, "batch": BATCH, "passes": passes, "weight_decay": WEIGHT_DECAY, "crop": SIDE}
    setting = task.told() | chosen | recipe | Engine().plain()
    result |= calibration(score.logits, task.test.labels)
    cost = {name: round(seconds, 1) for name, seconds in cost.items()}
    return runs.made_now(run.experiment, run.name, model, setting, result, curve=curve, cost=cost, code=version)


def _share(values: Tensor) -> float:
    """Mean of ``values`` in percent."""
    return round(100 * values.double().mean().item(), 3)


@cache
def pools(datadir: str | None, held_out: bool) -> tuple[data.Images, data.Images]:
    """Images to draw from and images to be scored on, decoded once a process."""
    if held_out:
        return fewshot.held_out_split(datadir)
    return fewshot.cifar10(datadir, "train"), fewshot.cifar10(datadir, "test")


def record(run: Run, datadir: str | None) -> runs.RunRecord:
    """Make one run on CIFAR-10."""
    return make(run, *pools(datadir, run.held_out))
