"""The half-moon experiment: decision boundaries and the confidence between the classes."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.studies.mixup.half_moons import ALPHAS, SEEDS, confidence, fresh_accuracy, probability, train

_COLOURS = dict(zip(ALPHAS, ("grey", "blue", "green", "orange"), strict=True))
_WEIGHTS = torch.linspace(0, 1, 21)


@cache
def curves(alpha: float) -> np.ndarray:
    """Confidence along the lines between the classes: ``(seeds, weights)``."""
    return torch.stack([confidence(train(alpha, seed), _WEIGHTS) for seed in SEEDS]).numpy()


@cache
def accuracies(alpha: float) -> np.ndarray:
    """Accuracy on fresh points in percent, one value for each seed."""
    return np.array([100 * fresh_accuracy(train(alpha, seed), seed) for seed in SEEDS])


def halfway(alpha: float) -> float:
    """Confidence halfway between two points of different classes, mean over seeds."""
    return float(curves(alpha)[:, len(_WEIGHTS) // 2].mean())


def _alt_boundaries() -> str:
    return (
        "Four maps of the plane with two interleaved half-moons. Without MixUp almost the whole plane is colored "
        "strongly and the change of class is a thin line; as alpha grows a band of undecided color opens between them. "
        f"Halfway between the classes the mean confidence is {halfway(0.0):.2f} without MixUp and {halfway(1.0):.2f} "
        "at alpha 1."
    )


@figure(
    "mixup-moons",
    caption="The same network, the same 200 points, four values of $\\alpha$. Color is the probability the network "
    "gives to the orange class; the line is its decision boundary. Trained when this page was built (first of three "
    "seeds).",
    alt=_alt_boundaries,
    format="png",
)
def boundaries() -> Figure:
    """Probability maps for each α, two in a row."""
    fig, axes = style.new(7.2, 5.4, 2, 2, sharex=True, sharey=True)
    for ax, alpha in zip(axes.flat, ALPHAS, strict=True):
        mesh = _show_map(ax, alpha)
        ax.set_title("α = 0 (no MixUp)" if alpha == 0 else f"α = {alpha:g}")
    bar = fig.colorbar(mesh, ax=axes, shrink=0.7, ticks=(0, 0.5, 1))
    bar.set_label("probability of orange")
    return fig


def _show_map(ax: Axes, alpha: float):
    across, up = np.linspace(-1.7, 2.7, 160), np.linspace(-1.2, 1.7, 110)
    grid = torch.from_numpy(np.stack(np.meshgrid(across, up), axis=-1)).float()
    trained = train(alpha, SEEDS[0])
    p = probability(trained, grid).numpy()
    mesh = ax.pcolormesh(across, up, p, cmap=_two_colours(), vmin=0, vmax=1, shading="gouraud")
    ax.contour(across, up, p, levels=[0.5], colors=style.ink(), linewidths=1.4)
    for side, name in enumerate(("blue", "orange")):
        x, y = trained.points[trained.classes == side].T
        ax.scatter(x, y, s=11, color=style.COLOURS[name], edgecolor=style.ink(), linewidth=0.4)
    ax.set(xticks=(), yticks=(), aspect="equal")
    return mesh


def _two_colours() -> LinearSegmentedColormap:
    """From blue over the ground to orange, both thinned so that the points stand out."""
    ground = np.array(to_rgb(style.ink("paper")))
    ends = [0.6 * np.array(to_rgb(style.COLOURS[name])) + 0.4 * ground for name in ("blue", "orange")]
    return LinearSegmentedColormap.from_list("classes", (ends[0], ground, ends[1]))


def _alt_confidence() -> str:
    parts = ", ".join(f"{halfway(a):.2f} for alpha {a:g}" for a in ALPHAS)
    points = ", ".join(f"{accuracies(a).mean():.1f} percent for alpha {a:g}" for a in ALPHAS)
    return f"Mean confidence halfway between points of different classes: {parts}. Accuracy on fresh points: {points}."


@figure(
    "mixup-moons-confidence",
    caption="Left: mean confidence (the larger of the two probabilities) on the straight line between points of "
    "different classes; dotted: what MixUp asks for, $\\max(\\lambda, 1 - \\lambda)$. Right: accuracy on 4,000 fresh "
    "points. Three seeds; bands and marks show all of them, lines their mean.",
    alt=_alt_confidence,
)
def confidences() -> Figure:
    """Confidence between the classes beside the accuracy on fresh points."""
    fig, (left, right) = style.new(7.2, 3.6, 1, 2, width_ratios=(3, 2))
    for alpha in ALPHAS:
        colour, runs = style.COLOURS[_COLOURS[alpha]], curves(alpha)
        left.fill_between(_WEIGHTS, runs.min(0), runs.max(0), color=colour, alpha=0.2, linewidth=0)
        left.plot(_WEIGHTS, runs.mean(0), color=colour)
        middle = len(_WEIGHTS) // 2
        below = alpha == ALPHAS[-1]
        edge = (runs.min(0) if below else runs.max(0))[middle]
        style.label(left, 0.5, edge, f"α = {alpha:g}", colour, ha="center", xytext=(0, -8 if below else 7))
        place = ALPHAS.index(alpha)
        right.plot([place] * len(SEEDS), accuracies(alpha), "o", color=colour, alpha=0.8)
        right.plot([place - 0.25, place + 0.25], [accuracies(alpha).mean()] * 2, color=colour)
    left.plot(_WEIGHTS, torch.maximum(_WEIGHTS, 1 - _WEIGHTS), ":", color=style.ink(), linewidth=1.4)
    left.set(xlabel="λ, weight of the orange point", ylabel="mean confidence", xlim=(0, 1), ylim=(0.5, 1.0))
    right.set(xticks=range(len(ALPHAS)), xticklabels=[f"{a:g}" for a in ALPHAS], xlabel="α", xlim=(-0.5, 3.5))
    right.set_ylabel("accuracy on fresh points (%)")
    return fig


def _register_values() -> None:
    for alpha in ALPHAS:
        value(f"moons-confidence-{alpha:g}")(lambda alpha=alpha: f"{halfway(alpha):.2f}")
        value(f"moons-accuracy-{alpha:g}")(lambda alpha=alpha: f"{accuracies(alpha).mean():.1f}")


_register_values()
