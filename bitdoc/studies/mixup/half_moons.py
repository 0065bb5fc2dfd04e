"""A small experiment on MixUp: a network in the plane that has to tell two interleaved half-moons apart.

A fifth of its labels are flipped, and it trains long enough to learn them by heart; in other runs all labels are true.
Runs of one seed share their points, flipped labels, first weights and partners, whatever α is.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bitdoc.records import runs
from bitdoc.records.age import code_version
from bitdoc.training.mixup import draw_lambda, mix, mixed_cross_entropy

EXPERIMENT = "mixup-half-moons"
#: The values of α that are compared, and the finer steps of the slider; 0 is training without MixUp.
ALPHAS = (0.0, 0.1, 0.4, 1.0)
SLIDER = (0.0, 0.05, 0.1, 0.2, 0.4, 1.0, 2.0)
SEEDS = (0, 1, 2, 3, 4)
#: Share of flipped labels.
FLIPPED = 0.2
POINTS, NOISE, STEPS, LEARNING_RATE, FRESH = 200, 0.12, 2000, 0.01, 4000
#: Steps at which the curves are measured: close together at the start, where most happens.
MEASURED = (10, 20, 30, 50, 70, 100, 150, 200, 300, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000)
#: The map of a run's answers: its columns from left to right, its rows from bottom to top.
ACROSS, UP = torch.linspace(-1.7, 2.7, 67), torch.linspace(-1.2, 1.7, 45)


class Trained(NamedTuple):
    """A trained network, the points ``(N, 2)`` it saw, their true ``classes`` ``(N,)`` and the labels it was given."""

    network: nn.Module
    points: Tensor
    classes: Tensor
    given: Tensor


@dataclass(frozen=True)
class Run:
    """One training: α, share of flipped labels, seed."""

    alpha: float
    flipped: float
    seed: int

    experiment = EXPERIMENT

    @property
    def name(self) -> str:
        """Name of the record."""
        return f"flipped={self.flipped:g}_alpha={self.alpha:g}_{self.seed}"


def plan() -> list[Run]:
    """All runs: the slider's with flipped labels, and those with true labels."""
    flipped = [Run(alpha, FLIPPED, seed) for seed, alpha in itertools.product(SEEDS, SLIDER)]
    return flipped + [Run(alpha, 0.0, seed) for seed, alpha in itertools.product(SEEDS, ALPHAS)]


def half_moons(count: int, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two half-circles of radius 1, the second turned over and moved between the ends of the first.

    Parameters
    ----------
    count : int
        Number of points, half of them in each class.
    noise : float
        Standard deviation of the normal noise on both coordinates.

    Returns
    -------
    points : Tensor
        ``(count, 2)`` coordinates.
    classes : Tensor
        ``(count,)`` class indices 0 and 1.
    """
    if count % 2:
        raise ValueError(f"half_moons got {count} points; give an even number, half of them for each class")
    angle = math.pi * torch.rand(count, generator=generator)
    classes = torch.arange(count) % 2
    upper = torch.stack((angle.cos(), angle.sin()), dim=1)
    lower = torch.stack((1 - angle.cos(), 0.5 - angle.sin()), dim=1)
    points = torch.where(classes[:, None] == 0, upper, lower)
    return points + noise * torch.randn(count, 2, generator=generator), classes


def train(run: Run, steps: int = STEPS, on_step: Callable[[int, Trained], None] | None = None) -> Trained:
    """Train a network with two hidden layers of 64 units on 200 points, all of them in every step.

    ``on_step`` is called with the number of steps made and what is trained.
    """
    data, weights, mixing = (torch.Generator().manual_seed(3 * run.seed + part) for part in range(3))
    points, classes = half_moons(POINTS, NOISE, data)
    wrong = torch.randperm(POINTS, generator=data)[: round(run.flipped * POINTS)]
    given = classes.clone()
    given[wrong] = 1 - given[wrong]
    trained = Trained(_network(weights), points, classes, given)
    optimizer = torch.optim.Adam(trained.network.parameters(), lr=LEARNING_RATE)
    for step in range(1, steps + 1):
        partner = torch.randperm(POINTS, generator=mixing)
        lam = draw_lambda(run.alpha, mixing)
        loss = mixed_cross_entropy(trained.network(mix(points, lam, partner)), given, lam, partner)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if on_step:
            on_step(step, trained)
    return trained


def _network(generator: torch.Generator) -> nn.Module:
    layers = [nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 2)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


@torch.no_grad()
def probability(trained: Trained, points: Tensor) -> Tensor:
    """Probability that the network gives to class 1 at ``points`` (..., 2)."""
    return trained.network(points).softmax(-1)[..., 1]


def halfway_confidence(trained: Trained) -> float:
    """Mean confidence (the larger probability) halfway between two training points of different true classes.

    MixUp's target there is one half for each class.
    """
    ones, zeros = (trained.points[trained.classes == side] for side in (1, 0))
    p = probability(trained, (ones[:, None] + zeros) / 2)
    return torch.maximum(p, 1 - p).mean().item()


def fresh_points(seed: int) -> tuple[Tensor, Tensor]:
    """Points ``(FRESH, 2)`` that no network saw, and their true classes."""
    return half_moons(FRESH, NOISE, torch.Generator().manual_seed(10_000 + seed))


def right(trained: Trained, points: Tensor, labels: Tensor) -> float:
    """Share of ``points`` that get the class in ``labels``, in percent."""
    return round(100 * ((probability(trained, points) > 0.5) == labels).double().mean().item(), 3)


def make(run: Run, measured: tuple[int, ...] = MEASURED) -> runs.RunRecord:
    """Make one run, up to the last of the steps ``measured``, and return its record."""
    version, began = code_version(), time.monotonic()
    fresh = fresh_points(run.seed)
    curve: dict[str, list] = {"step": [], "test": [], "train": []}

    def measure(step: int, trained: Trained) -> None:
        if step in measured:
            curve["step"].append(step)
            curve["test"].append(right(trained, *fresh))
            curve["train"].append(right(trained, trained.points, trained.given))

    trained = train(run, measured[-1], measure)
    wrong = trained.given != trained.classes
    result = {
        "top1": curve["test"][-1],
        "train": curve["train"][-1],
        "wrong_fitted": right(trained, trained.points[wrong], trained.given[wrong]) if wrong.any() else None,
        "halfway_confidence": round(halfway_confidence(trained), 4),
    }
    chosen = {"mixup": run.alpha, "flipped_labels": run.flipped, "seed": run.seed, "points": POINTS, "noise": NOISE}
    recipe = {"steps": measured[-1], "base_lr": LEARNING_RATE, "test_points": FRESH}
    result |= _picture(trained) if run.seed == SEEDS[0] else {}
    cost = {"seconds": round(time.monotonic() - began, 1)}
    said = {"curve": curve, "cost": cost, "code": version}
    return runs.made_now(EXPERIMENT, run.name, "2-64-64-2", chosen | recipe, result, **said)


def _picture(trained: Trained) -> dict[str, list]:
    """What a figure needs: the points as they were labeled, and the probability of class 1 in percent, row by row."""
    p = probability(trained, torch.stack(torch.meshgrid(ACROSS, UP, indexing="xy"), dim=-1))
    across, up = (100 * trained.points).round().long().T.tolist()  # hundredths
    return {
        "map": (100 * p).round().long().flatten().tolist(),
        "across": across,
        "up": up,
        "true": trained.classes.tolist(),
        "given": trained.given.tolist(),
    }
