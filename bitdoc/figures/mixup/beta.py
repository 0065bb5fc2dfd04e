"""The Beta distribution of the mixing weight, drawn from samples of ``draw_lambda``."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.training.mixup import draw_lambda

ALPHAS = (0.1, 0.4, 1.0, 8.0)
DRAWS = 10_000
#: A blend is called nearly pure if one of the two images has less than this weight.
PURE = 0.1


@cache
def draws(alpha: float) -> np.ndarray:
    """10,000 weights from ``draw_lambda(alpha)``, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    return np.array([draw_lambda(alpha, generator) for _ in range(DRAWS)])


def nearly_pure(alpha: float) -> float:
    """Probability that one image has less than a tenth of the weight: one minus the integral between, by midpoints."""
    grid = PURE + (1 - 2 * PURE) * (np.arange(1000) + 0.5) / 1000
    return 1 - float((1 - 2 * PURE) * density(alpha, grid).mean())


def density(alpha: float, lam: np.ndarray) -> np.ndarray:
    """Density of Beta(α, α) at ``lam`` between 0 and 1, both excluded."""
    log_scale = math.lgamma(2 * alpha) - 2 * math.lgamma(alpha)
    return np.exp(log_scale + (alpha - 1) * (np.log(lam) + np.log1p(-lam)))


def shrinkage(alpha: float) -> float:
    """Mean weight of the heavier of two mixed images, E max(λ, 1 − λ), for λ from Beta(α, α).

    It is 1/2 + 2^(−2α) / (α B(α, α)), with the beta function B: the derivative of λ^α (1 − λ)^α shows it.
    """
    log_beta = 2 * math.lgamma(alpha) - math.lgamma(2 * alpha)
    return 0.5 + math.exp(-2 * alpha * math.log(2) - log_beta) / alpha


def own_share(alpha: float, classes: int = 10) -> float:
    """What a mixed label says of an image's own class on average, if all ``classes`` are equally frequent."""
    return shrinkage(alpha) + (1 - shrinkage(alpha)) / classes


def show_density(ax: Axes, alpha: float, lam: np.ndarray, marked: float) -> None:
    """Draw the density of Beta(α, α) at 0.005 to 0.995, the given weights as ticks below it, and one weight on it."""
    grid = np.linspace(0.005, 0.995, 199)
    heights = density(alpha, grid)
    top = float(np.ceil(heights.max()))
    ax.plot(grid, heights, color=style.COLOURS["purple"])
    ax.plot(lam, np.full(len(lam), -0.09 * top), "|", color=style.ink(), markersize=11, alpha=0.45, clip_on=False)
    ax.axhline(0, color=style.ink("faint"), linewidth=1)
    ax.plot([marked, marked], [0, top], "--", color=style.COLOURS["blue"], linewidth=1.4)
    ax.text(marked, 0.93 * top, f"  λ = {marked:g}", color=style.COLOURS["blue"])
    ax.set(xlim=(0, 1), ylim=(-0.18 * top, top), xlabel="λ", ylabel="density")
    ax.set_yticks([0, top / 2, top], [f"{tick:g}" for tick in (0, top / 2, top)])
    ax.set_title(f"Beta({alpha:g}, {alpha:g}) and {len(lam)} draws", fontsize=11)


@figure(
    "mixup-beta",
    caption="What $\\alpha$ does: weights $\\lambda$ drawn for each $\\alpha$, with the exact density as a line. "
    "Colored: the draws that leave one of the two images less than a tenth of the weight.",
    measured=f"{DRAWS:,} weights drawn by `bitdoc.training.mixup.draw_lambda` while the page is built, in bins of "
    "width 0.05; the percentages are the distribution's.",
    alt=lambda: (
        "Four histograms of the mixing weight. For alpha 0.1, "
        f"{nearly_pure(0.1):.0%} of the weights lie within a tenth of 0 or 1; for 0.4 {nearly_pure(0.4):.0%}; for 1 "
        f"all are equally likely and {nearly_pure(1.0):.0%} lie there; for 8 they gather around one half."
    ),
)
def beta() -> Figure:
    """One histogram for each α, two in a row."""
    fig, axes = style.new(7.2, 4.9, 2, 2, (4.4, 2), sharex=True, sharey=True)
    style.headline(
        fig, f"At α = {ALPHAS[0]:g}, BiT's value, {nearly_pure(ALPHAS[0]):.0%} of the blends are nearly one image"
    )
    grid = np.linspace(0.001, 0.999, 999)
    for ax, alpha in zip(axes.flat, ALPHAS, strict=True):
        heights, edges = np.histogram(draws(alpha), bins=20, range=(0, 1), density=True)
        outer = (edges[1:] <= PURE + 1e-9) | (edges[:-1] >= 1 - PURE - 1e-9)
        colours = [style.COLOURS["purple"] if side else style.ink("faint") for side in outer]
        ax.bar(edges[:-1], heights, width=0.05, align="edge", color=colours, edgecolor=style.ink("paper"))
        ax.plot(grid, density(alpha, grid), color=style.ink(), linewidth=1.2)
        ax.set_title(f"α = {alpha:g}")
        ax.text(0.5, 0.72, f"{nearly_pure(alpha):.0%} nearly pure", color=style.COLOURS["purple"],
                ha="center", transform=ax.transAxes)  # fmt: skip
    axes[0, 0].set(xlim=(0, 1), ylim=(0, 8), xticks=(0, 0.5, 1))
    for ax in axes[1]:
        ax.set_xlabel("λ")
    for ax in axes[:, 0]:
        ax.set_ylabel("density")
    return fig


@value("mixup-nearly-pure")
def nearly_pure_text() -> str:
    """Share of nearly pure images at BiT's α."""
    return f"{nearly_pure(0.1):.0%}"


def _register_factors() -> None:
    for alpha in (0.1, 1.0):
        value(f"mixup-factor-{alpha:g}")(lambda alpha=alpha: f"{shrinkage(alpha):.2f}")
    value("mixup-own-share-1")(lambda: f"{own_share(1.0):.0%}")


_register_factors()
