"""The measured part of the MixUp page: a small network on CIFAR-10, with and without MixUp.

Every run fine-tunes the shipped upstream model with the rule's schedule for middle-sized tasks, 40 times shorter. All
runs make the same number of steps, so that only the data, α and the labels differ. Runs of one seed share their images,
their order, their crops and their random labels, whatever α is, and can be compared in pairs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies.fewshot import make_runs as fewshot
from bitdoc.training import hyperrule
from bitdoc.training.finetune import Engine, Recipe, Task, finetune, miniature, test_batches
from bitdoc.training.loop import evaluate, generator

EXPERIMENT = "mixup-study"
MODEL = "BiT-T-R26x0.5"
SHOTS = (10, 30, 100, 300, 1000)
ALPHAS = (0.0, 0.1, 1.0)
SEEDS = (0, 1, 2)
#: Shares of random labels, and the examples per class at which they are tried.
NOISE, NOISY_SHOTS = (0.2, 0.5), 100
#: The rule's 10,000 steps become 250; the longer runs make four times as many, at this many examples per class.
FACTOR, LONGER, LONG_SHOTS = 40, 4, 1000
TEST_PER_CLASS = 200
BINS = 15


@dataclass(frozen=True)
class Run:
    """One fine-tuning: examples per class, α, seed, share of random labels, and how many times longer it is."""

    shots: int
    alpha: float
    seed: int
    noise: float = 0.0
    longer: int = 1

    experiment = EXPERIMENT

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"{self.shots}_noise={self.noise:g}_longer={self.longer}_alpha={self.alpha:g}_{self.seed}"

    @property
    def recipe(self) -> Recipe:
        """The miniature of the rule for middle-sized tasks, with this run's length and α."""
        full = hyperrule.get_schedule(hyperrule.SMALL)
        schedule = tuple(self.longer * step // FACTOR for step in full)
        return miniature(hyperrule.SMALL, schedule=schedule, mixup=self.alpha)


def plan() -> list[Run]:
    """All runs: the data-set sizes, then the random labels, then the longer runs."""
    sizes = [Run(k, alpha, seed) for seed, k, alpha in itertools.product(SEEDS, SHOTS, ALPHAS)]
    noisy = [Run(NOISY_SHOTS, alpha, seed, noise) for seed, noise, alpha in itertools.product(SEEDS, NOISE, ALPHAS)]
    long = [Run(LONG_SHOTS, alpha, seed, longer=LONGER) for seed, alpha in itertools.product(SEEDS, ALPHAS)]
    return sizes + noisy + long


def random_labels(labels: Tensor, share: float, classes: int, rng: torch.Generator) -> Tensor:
    """Replace a random ``share`` of the labels ``(N,)`` by classes drawn at random, the right one among them."""
    chosen = torch.randperm(len(labels), generator=rng)[: round(share * len(labels))]
    noisy = labels.clone()
    noisy[chosen] = torch.randint(classes, (len(chosen),), generator=rng)
    return noisy


def calibration(logits: Tensor, labels: Tensor, bins: int = BINS) -> dict:
    """Expected calibration error (Guo et al. 2017) and the reliability diagram behind it.

    Predictions are sorted into ``bins`` equally wide bins by their confidence, the largest probability. The error is
    the mean distance of a bin's accuracy from its mean confidence, weighted by the predictions in the bin.

    Parameters
    ----------
    logits : Tensor
        ``(N, classes)``.
    labels : Tensor
        ``(N,)`` class indices.

    Returns
    -------
    dict
        ``ece`` in percent; ``bin_count``, ``bin_confidence`` and ``bin_accuracy`` as lists, 0 for an empty bin.
    """
    confidence, prediction = logits.double().softmax(1).max(1)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    count = torch.bincount(place, minlength=bins).double()
    summed = [torch.bincount(place, v, minlength=bins) for v in (confidence, (prediction == labels).double())]
    mean_confidence, accuracy = (total / count.clamp(min=1) for total in summed)
    ece = 100 * (count / len(labels) * (accuracy - mean_confidence).abs()).sum().item()
    return {
        "ece": round(ece, 3),
        "bin_count": count.long().tolist(),
        "bin_confidence": [round(value, 4) for value in mean_confidence.tolist()],
        "bin_accuracy": [round(value, 4) for value in accuracy.tolist()],
    }


@cache
def _test(datadir: str | None, side: int, interpolation: str) -> data.Images:
    images = fewshot.cifar10(datadir, "test")
    judged = images.subset(data.few_shot_indices(images.labels, TEST_PER_CLASS, seed=0))
    return replace(judged, interpolation=interpolation).in_memory(side)


def task_of(run: Run, train: data.Images, test: data.Images) -> Task:
    """The run's images, with random labels where it has some."""
    task = Task.choose(train, test, run.shots, run.seed)
    rng = generator(run.seed, "random labels", run.noise)
    labels = random_labels(task.train.labels, run.noise, len(train.classes), rng)
    setting = task.setting | {"random_labels": run.noise, "longer": run.longer, "shortened_by": FACTOR}
    return Task(replace(task.train, labels=labels), test, setting)


def make(run: Run, task: Task, model: str = MODEL, recipe: Recipe | None = None) -> runs.RunRecord:
    """Make one run and return its record, with the calibration on the test images among the results."""
    recipe = recipe or run.recipe
    engine = Engine()  # one kind of device and precision, so that records agree to the last digit
    network, record = finetune(model, task, recipe, experiment=EXPERIMENT, run=run.name, seed=run.seed, engine=engine)
    logits = evaluate(network, test_batches(task.test, recipe.crop, engine.device)).logits
    return replace(record, result=record.result | calibration(logits, task.test.labels))


def record(run: Run, datadir: str | None) -> runs.RunRecord:
    """Make one run on CIFAR-10."""
    test = _test(datadir, run.recipe.crop, run.recipe.interpolation)
    return make(run, task_of(run, fewshot.cifar10(datadir, "train"), test))
