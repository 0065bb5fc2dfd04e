"""MixUp: train on blends of two examples and on the same blend of their labels (Zhang et al. 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def draw_lambda(alpha: float, generator: torch.Generator | None = None) -> float:
    """Draw the mixing weight λ from Beta(α, α); α = 0 means no mixing and returns 1.

    Parameters
    ----------
    alpha : float
        0.1 in BiT: most draws lie close to 0 or to 1.
    generator : torch.Generator, optional
        A CPU generator; the same generator state gives the same λ on every device.

    Raises
    ------
    ValueError
        If ``alpha`` is negative or not finite.
    """
    if not 0 <= alpha < math.inf:
        raise ValueError(f"mixup got alpha = {alpha}; alpha must be 0 (off) or a positive number")
    if alpha == 0:
        return 1.0
    # Log space: for a small alpha both Gamma draws can underflow to 0, and 0 / 0 is no mixing weight.
    a, b = (_log_gamma_draw(alpha, generator) for _ in range(2))
    return float(torch.sigmoid(a - b))


def _log_gamma_draw(alpha: float, generator: torch.Generator | None) -> Tensor:
    """Logarithm of one draw from Gamma(α, 1), using Gamma(α) = Gamma(α + 1) · U^(1/α)."""
    boosted = torch._standard_gamma(torch.tensor(alpha + 1, dtype=torch.float64), generator=generator)
    uniform = torch.rand((), dtype=torch.float64, generator=generator)
    return boosted.log() + uniform.log() / alpha


def mix(x: Tensor, lam: float, partner: Tensor) -> Tensor:
    """Blend every example with its partner: ``lam * x + (1 - lam) * x[partner]``.

    Parameters
    ----------
    x : Tensor
        ``(N, ...)``: images, or targets as class probabilities; floating-point numbers.
    lam : float
        Weight of the example itself, from 0 to 1; 1 returns ``x`` untouched.
    partner : Tensor
        ``(N,)`` integer indices into the batch, usually a random permutation.

    Raises
    ------
    ValueError
        If ``x`` holds whole numbers (the mean of two class numbers is a third class), ``lam`` is no weight, or
        ``partner`` does not name one partner for each example.
    """
    if not x.is_floating_point():
        raise ValueError(
            f"mixup got {str(x.dtype).removeprefix('torch.')} numbers to mix; give images as floating-point numbers, "
            f"and labels as probabilities: torch.nn.functional.one_hot(labels, classes).float()"
        )
    _check(len(x), lam, partner)
    return x if lam == 1 else lam * x + (1 - lam) * x[partner]


def _check(examples: int, lam: float, partner: Tensor) -> None:
    """Refuse a weight that is none, and partners that are not one index for each example."""
    if not 0 <= lam <= 1:
        raise ValueError(f"mixup got lambda = {lam}; the weight of an example lies between 0 and 1")
    if partner.shape != (examples,):
        raise ValueError(
            f"mixup got {examples} examples and partners of shape {tuple(partner.shape)}; expected one each"
        )
    if partner.dtype not in (torch.int64, torch.int32):  # a boolean or uint8 tensor would choose rows, not name them
        kind = str(partner.dtype).removeprefix("torch.")
        raise ValueError(
            f"mixup got partners of type {kind}; expected integer indices, such as torch.randperm({examples})"
        )


def mixed_cross_entropy(logits: Tensor, target: Tensor, lam: float, partner: Tensor) -> Tensor:
    """Blend the losses, not the targets: ``lam * CE(y) + (1 - lam) * CE(y[partner])``.

    Cross-entropy is linear in the target, so this equals the cross-entropy with mixed
    targets. (The official PyTorch code computes it this way: no one-hot vectors.)

    Parameters
    ----------
    logits : Tensor
        ``(N, classes)``.
    target : Tensor
        ``(N,)`` class indices or ``(N, classes)`` probabilities.
    lam, partner : float, Tensor
        As for :func:`mix`.

    Raises
    ------
    ValueError
        If ``lam`` is no weight, or ``partner`` is not one partner for each example.
    """
    _check(len(target), lam, partner)
    loss = F.cross_entropy(logits, target)
    return loss if lam == 1 else lam * loss + (1 - lam) * F.cross_entropy(logits, target[partner])
