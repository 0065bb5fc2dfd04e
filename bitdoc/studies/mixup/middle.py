"""MixUp where BiT takes it: a pre-trained network that sees its images a hundred times.

So BiT's rule does with CIFAR-10's 50,000 images at 128 pixels; here they are 2,000, at 32, with the rule's schedule,
crops and mirrors. Runs of one seed share their images, order and crops, whatever α is, and can be compared in pairs.
The learning rate is the best for training *without* MixUp on held-out training images.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import torch

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies.mixup.memorize import pools
from bitdoc.studies.mixup.study import calibration
from bitdoc.training import hyperrule
from bitdoc.training.engine import Engine
from bitdoc.training.finetune import Task, finetune, test_batches
from bitdoc.training.loop import evaluate
from bitdoc.training.recipe import Recipe

EXPERIMENT, CHOICE = "mixup-middle", "mixup-middle-choice"
MODEL = "BiT-T-R26x0.5"
ALPHAS = (0.0, 0.1, 1.0)
SEEDS = (0, 1, 2)
PER_CLASS, PASSES, BATCH, SIDE = 200, 100, 128, 32
#: Rates tried without MixUp, in so many passes, and the best of them.
RATES, CHOICE_PASSES = (0.03, 0.1, 0.3), 30
BASE_LR = 0.1


@dataclass(frozen=True)
class Run:
    """One fine-tuning: α, seed, learning rate; ``held_out``: a trial, scored on training images that are put aside."""

    alpha: float
    seed: int
    base_lr: float = BASE_LR
    held_out: bool = False

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"alpha={self.alpha:g}_{self.seed}" + (f"_base_lr={self.base_lr:g}" if self.held_out else "")

    @property
    def experiment(self) -> str:
        """Experiment the record belongs to."""
        return CHOICE if self.held_out else EXPERIMENT

    @property
    def recipe(self) -> Recipe:
        """The rule for middle-sized tasks, with another batch, length and rate; α is the run's."""
        whole = hyperrule.get_schedule(hyperrule.SMALL)
        steps = (CHOICE_PASSES if self.held_out else PASSES) * 10 * PER_CLASS // BATCH
        schedule = tuple(step * steps // whole[-1] for step in whole)
        return Recipe(SIDE * 160 // 128, SIDE, schedule, BATCH, base_lr=self.base_lr, mixup=self.alpha)


def plan() -> list[Run]:
    """The choice of the learning rate, then all runs, seed by seed."""
    rates = [Run(0.0, 0, rate, held_out=True) for rate in RATES]
    return rates + [Run(alpha, seed) for seed, alpha in itertools.product(SEEDS, ALPHAS)]


def make(run: Run, train: data.Images, test: data.Images) -> runs.RunRecord:
    """Make one run on a subset of ``train`` and return its record.

    Among the results are the share of the training images that is answered as labeled, and the calibration on ``test``.
    """
    engine = Engine(torch.device("cpu"), "bfloat16")  # one kind of device, so that all records are comparable
    task, recipe = Task.choose(train, test, PER_CLASS, run.seed), run.recipe
    network, record = finetune(
        MODEL, task, recipe, experiment=run.experiment, run=run.name, seed=run.seed, engine=engine
    )
    seen, score = (
        evaluate(network, test_batches(part, recipe.crop, engine.device), engine) for part in (task.train, task.test)
    )
    told = {"train": round(seen.top1, 3)} | calibration(score.logits, task.test.labels)
    return replace(record, result=record.result | told)


def record(run: Run, datadir: str | None) -> runs.RunRecord:
    """Make one run on CIFAR-10."""
    return make(run, *pools(datadir, run.held_out))
