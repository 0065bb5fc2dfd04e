"""The semi-supervised family: Fig. 2 of the BiT paper, and a toy in which unlabeled points help."""

from __future__ import annotations

from functools import cache

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, value
from bitdoc.literature.published import FIG2_BIT_L, FIG2_SEMI
from bitdoc.studies.mixup.half_moons import half_moons

_METHODS = {
    "CPC v2": ("D", "green"),
    "S4L MOAM": ("P", "purple"),
    "MT+fSWA": ("s", "grey"),
    "Π+fSWA": ("v", "yellow"),
    "ReMixMatch": ("^", "orange"),
    "MixMatch": ("^", "orange"),
}
#: Moves labels that would stand on each other, in points.
_SHIFT = {
    ("CIFAR-10", "MT+fSWA"): -16,
    ("CIFAR-10", "Π+fSWA"): -4,
    ("CIFAR-10", "ReMixMatch"): 8,
    ("CIFAR-100", "MT+fSWA"): -6,
    ("CIFAR-100", "MixMatch"): 6,
}


@figure(
    "semi-supervised",
    caption="BiT-L (line) against semi-supervised systems (marks), read off Fig. 2 of {cite:t}`kolesnikov2020bit`. "
    "Not on the axis: 300 million labeled images behind BiT-L, and the task's unlabeled ones behind the others.",
    alt="Three panels of accuracy against labeled images per class. On ILSVRC-2012 BiT-L with 25 images per class, 81 "
    "percent, stands above CPC v2 with 256, 77 percent. On CIFAR-10 BiT-L with 5 images is level with ReMixMatch with "
    "25, near 94 percent. On CIFAR-100 BiT-L with 100 images has 91 percent, the others 66 to 74.",
)
def against_bit() -> Figure:
    """One panel for each data set."""
    fig, axes = style.new(5.8, 8.2, 3, 1, (7.4, 1), sharex=True)
    small = style.by_width(10, 9)
    for ax, (data, methods) in zip(axes, FIG2_SEMI.values.items(), strict=True):
        curve = FIG2_BIT_L.values[data]
        ax.plot(list(curve), list(curve.values()), "o-", color=style.COLOURS["blue"])
        style.label(ax, 100, curve[100], "BiT-L", style.of("BiT-L"), fontsize=small, xytext=(6, 4))
        for method, points in methods.items():
            mark, colour = _METHODS[method]
            ax.plot(list(points), list(points.values()), mark, color=style.COLOURS[colour], markersize=8)
            last = max(points)
            shift = _SHIFT.get((data, method), 0)
            style.label(ax, last, points[last], method, style.COLOURS[colour], fontsize=small, xytext=(8, shift))
        ax.set(xscale="log", xlim=(0.85, style.by_width(2600, 8000)), title=data, ylabel="top-1 accuracy, %")
        ax.set_xticks([1, 5, 25, 100, 400], ["1", "5", "25", "100", "400"])
        ax.minorticks_off()
        ax.grid(axis="y")
    axes[-1].set_xlabel("labeled images per class")
    style.headline(fig, "With the same labels of the task, BiT-L is ahead")
    return fig


def _lead(data: str, labels: int = 100) -> str:
    """Points by which BiT-L leads the best semi-supervised system with the same labels of each class, in Fig. 2."""
    best = max(points[labels] for points in FIG2_SEMI.values[data].values() if labels in points)
    return f"{FIG2_BIT_L.values[data][labels] - best:.0f}"


@value("semi-lead-cifar-10")
def lead_on_cifar10() -> str:
    """BiT-L's lead on CIFAR-10 with 100 labels of each class, in points."""
    return _lead("CIFAR-10")


@value("semi-lead-cifar-100")
def lead_on_cifar100() -> str:
    """BiT-L's lead on CIFAR-100 with 100 labels of each class, in points."""
    return _lead("CIFAR-100")


@cache
def toy() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """400 points in two half-moons, their classes, and which three of each class are labeled."""
    points, classes = half_moons(400, 0.1, torch.Generator().manual_seed(3))
    order = torch.randperm(400, generator=torch.Generator().manual_seed(9))
    labeled = torch.cat([order[classes[order] == kind][:3] for kind in (0, 1)])
    return points, classes, labeled


@cache
def guesses() -> dict[str, torch.Tensor]:
    """Two guesses at every class: that of the nearest labeled point, and labels spread along near neighbors.

    Spreading is Zhou et al. (2004), closed form: points pass their labels to their neighbors, weighted by a Gaussian
    of the distance, until nothing changes.
    """
    points, classes, labeled = toy()
    distance = torch.cdist(points, points)
    nearest = classes[labeled][distance[:, labeled].argmin(1)]
    weight = torch.exp(-((distance / 0.12) ** 2)).fill_diagonal_(0)
    degree = weight.sum(1).rsqrt()
    links = degree[:, None] * weight * degree
    seeds = torch.zeros(len(points), 2)
    seeds[labeled, classes[labeled]] = 1
    spread = torch.linalg.solve(torch.eye(len(points)) - 0.99 * links, seeds)
    return {"labels alone": nearest, "labels and unlabeled points": spread.argmax(1)}


def _accuracy(guess: torch.Tensor) -> float:
    return 100 * float((guess == toy()[1]).float().mean())


@value("toy-labels-alone")
def labels_alone() -> str:
    """Accuracy of the nearest labeled point in the toy."""
    return f"{_accuracy(guesses()['labels alone']):.1f}%"


@value("toy-with-unlabeled")
def with_unlabeled() -> str:
    """Accuracy after the labels have spread."""
    return f"{_accuracy(guesses()['labels and unlabeled points']):.1f}%"


@figure(
    "semi-toy",
    caption="400 points in two half-moons, six of them labeled (large). Above, each takes the class of the nearest "
    "labeled one; below, labels spread from neighbor to neighbor {cite:p}`zhou2004local`. A cross is an error.",
    measured="Computed while the page is built.",
    alt=lambda: (
        "Two maps of the same half-moons. With the six labels alone "
        f"{_accuracy(guesses()['labels alone']):.1f} percent of the points are guessed right and one arm of each moon "
        f"is wrong; spreading labels through the unlabeled points gets "
        f"{_accuracy(guesses()['labels and unlabeled points']):.1f} percent right."
    ),
)
def spreading() -> Figure:
    """Guesses without and with the unlabeled points."""
    fig, axes = style.new(5.8, 6.3, 2, 1, (4.9, 1), sharex=True, sharey=True)
    style.headline(fig, "Unlabeled points show where the classes run")
    for ax, (title, guess) in zip(axes, guesses().items(), strict=True):
        _draw_guess(ax, guess)
        ax.set_title(f"{title.capitalize()}: {_accuracy(guess):.1f}% right")
    return fig


def _draw_guess(ax: Axes, guess: torch.Tensor) -> None:
    points, classes, labeled = toy()
    for kind, colour in enumerate(("blue", "orange")):
        right, wrong = (guess == kind) & (classes == kind), (guess == kind) & (classes != kind)
        ax.plot(*points[right].T, "o", color=style.COLOURS[colour], markersize=3.5, alpha=0.6)
        ax.plot(*points[wrong].T, "x", color=style.COLOURS[colour], markersize=6)
        known = labeled[classes[labeled] == kind]
        ax.plot(
            *points[known].T,
            "o",
            color=style.COLOURS[colour],
            markersize=style.by_width(12, 9),
            markeredgecolor=style.ink(),
            markeredgewidth=1.5,
        )
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
