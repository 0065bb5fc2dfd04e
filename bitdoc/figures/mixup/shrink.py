"""Why MixUp regularizes, as a picture: data drawn toward their mean, and noise in the directions of other examples."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from bitdoc.figures import figure, style
from bitdoc.figures.mixup.beta import shrinkage
from bitdoc.figures.mixup.moons import two_colours
from bitdoc.studies.mixup.half_moons import NOISE, POINTS, half_moons
from bitdoc.training.mixup import draw_lambda, mix

ALPHA = 1.0


def drawn_to_the_mean(values: Tensor, alpha: float) -> Tensor:
    """What is left of ``values`` ``(N, ...)`` in the mean over partners and weights, the heavier part named first."""
    factor = shrinkage(alpha)
    return factor * values + (1 - factor) * values.mean(0)


def mixed_once(values: Tensor, alpha: float, seed: int = 0) -> Tensor:
    """``values`` ``(N, ...)`` each mixed with a random partner and a weight of its own, which keeps at least half."""
    rng = torch.Generator().manual_seed(seed)
    partner = torch.randperm(len(values), generator=rng)
    rows = []
    for index, other in enumerate(partner.tolist()):
        lam = draw_lambda(alpha, rng)
        rows.append(mix(values[[index, other]], max(lam, 1 - lam), torch.tensor([1, 0]))[0])
    return torch.stack(rows)


@figure(
    "mixup-shrink",
    caption="What MixUp at $\\alpha = 1$ trains on: points with labels 0 (blue) and 1 (orange); the same in the mean "
    "over partners and weights; and mixed once. Pale is undecided; the cross is the mean.",
    measured=f"Computed while the page is built: {POINTS} points. Mixed once is the mean plus noise toward other "
    "examples.",
    alt=lambda: (
        "Three clouds of points. Left two half-moons in full color. In the middle the same moons, smaller by the "
        f"factor {shrinkage(ALPHA):.2f} around their common mean and paler. Right mixed points, scattered around the "
        "places of the middle, many of them between the moons and nearly without color."
    ),
)
def shrink() -> Figure:
    """Data, their mean under MixUp, and one sample."""
    points, classes = half_moons(POINTS, NOISE, torch.Generator().manual_seed(0))
    example = torch.cat((points, classes[:, None].float()), dim=1)
    fig, axes = style.new(7.2, 2.4, 1, 3, (6.2, 1), sharex=True, sharey=True)
    style.headline(fig, "MixUp draws data and labels to their mean, and adds noise toward others")
    titles = ("The data", f"Drawn to the mean by {shrinkage(ALPHA):.2f} …", "… plus noise toward others")
    stages = (example, drawn_to_the_mean(example, ALPHA), mixed_once(example, ALPHA))
    for ax, title, stage in zip(axes, titles, stages, strict=True):
        ax.scatter(*stage[:, :2].T, c=stage[:, 2], cmap=two_colours(), vmin=0, vmax=1, s=12,
                   edgecolor=style.ink(), linewidth=0.3)  # fmt: skip
        ax.plot(*points.mean(0), "+", color=style.ink(), markersize=9)
        ax.set_title(title, fontsize=style.by_width(10, 9))
        ax.set(xticks=(), yticks=(), aspect="equal")
        ax.spines[:].set_visible(False)
    return fig
