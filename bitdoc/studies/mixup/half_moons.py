"""A small live experiment on MixUp: a network in the plane that has to tell two interleaved half-moons apart."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bitdoc.training.mixup import draw_lambda, mix, mixed_cross_entropy

#: The values of α that the page and the gallery compare; 0 is training without MixUp.
ALPHAS = (0.0, 0.1, 0.4, 1.0)
SEEDS = (0, 1, 2)
POINTS, NOISE, STEPS = 200, 0.12, 400


class Trained(NamedTuple):
    """A trained network and the points it saw: ``points`` (N, 2), ``classes`` (N,)."""

    network: nn.Module
    points: Tensor
    classes: Tensor


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


@cache
def train(alpha: float, seed: int, steps: int = STEPS) -> Trained:
    """Train a network with two hidden layers of 64 units on 200 points, all of them in every step.

    The points, the first weights and the partners depend on ``seed`` only, so that runs with different ``alpha``
    can be compared pair by pair.
    """
    data, weights, mixing = (torch.Generator().manual_seed(3 * seed + part) for part in range(3))
    points, classes = half_moons(POINTS, NOISE, data)
    network = _network(weights)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        partner = torch.randperm(len(points), generator=mixing)
        lam = draw_lambda(alpha, mixing)
        loss = mixed_cross_entropy(network(mix(points, lam, partner)), classes, lam, partner)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Trained(network.eval(), points, classes)


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


@torch.no_grad()
def confidence(trained: Trained, weights: Tensor) -> Tensor:
    """Mean confidence on the straight lines between points of different classes.

    Parameters
    ----------
    weights : Tensor
        ``(W,)`` weights λ of the class-1 point.

    Returns
    -------
    Tensor
        ``(W,)``: the larger of the two probabilities, averaged over all pairs of a class-1 and a class-0 training
        point. MixUp's target there is max(λ, 1 − λ).
    """
    ones, zeros = (trained.points[trained.classes == side] for side in (1, 0))
    lam = weights[:, None, None, None]
    p = probability(trained, lam * ones[:, None] + (1 - lam) * zeros)
    return torch.maximum(p, 1 - p).mean(dim=(1, 2))


def fresh_accuracy(trained: Trained, seed: int, count: int = 4000) -> float:
    """Share of ``count`` new points from the same half-moons that the network puts into the right class."""
    points, classes = half_moons(count, NOISE, torch.Generator().manual_seed(10_000 + seed))
    return float(((probability(trained, points) > 0.5) == classes).double().mean())
