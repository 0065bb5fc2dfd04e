"""Focal loss: its curves, what it does to a hundred thousand easy anchors, and the results of Table 3."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table, value
from bitdoc.figures.models.anchors import matches
from bitdoc.literature.published import FOCAL_LOSS, TABLE3
from bitdoc.network.detector import focal_loss

GAMMAS = {0.0: "grey", 0.5: "green", 1.0: "sky", 2.0: "blue", 5.0: "orange"}
#: Probability that a new detector gives to "object" at every anchor.
PRIOR = 0.01


def background_share(gamma: float) -> float:
    """Share of the loss, in percent, that comes from background at the first step, for the photograph's anchors."""
    counts = matches()[1]
    background = counts["background"] * focal_loss(torch.tensor(1 - PRIOR, dtype=torch.float64), gamma)
    objects = counts["object"] * focal_loss(torch.tensor(PRIOR, dtype=torch.float64), gamma)
    return float(100 * background / (background + objects))


def percent(share: float) -> str:
    """A share in percent, as short as it can be told."""
    return f"{share:.0f}%" if share >= 1 else f"{share:.2f}%" if share >= 0.01 else "less than 0.01%"


@value("focal-share-ce")
def share_cross_entropy() -> str:
    """Share of background in cross-entropy at the first step."""
    return percent(background_share(0.0))


@value("focal-share-two")
def share_two() -> str:
    """Share of background in focal loss with γ = 2 at the first step."""
    return percent(background_share(2.0))


@figure(
    "focal-loss",
    caption=lambda: (
        "Focal loss computed by `bitdoc.network.detector.focal_loss`, without the weight α. Above: loss against the "
        "probability of the true answer; γ = 0 is cross-entropy. Below: the share of the total loss that comes from "
        f"background at the first step of training, when every one of the {sum(matches()[1].values()):,} anchors of "
        f"{{numref}}`fig-retinanet-anchors` still says “object” with probability {PRIOR}."
    ),
    alt=lambda: (
        "Above, five falling curves; the larger gamma, the sooner they come down to zero on the right, where "
        "predictions are already good. Below, the share of background in the loss: "
        + ", ".join(f"{percent(background_share(g))} at gamma {g:g}" for g in GAMMAS)
        + "."
    ),
)
def curves() -> Figure:
    """Loss curves above, background's share below."""
    fig, (top, bottom) = style.new(5.8, 6.6, 2, 1, height_ratios=(3, 2))
    p = torch.linspace(0.01, 0.995, 200)
    for gamma, colour in GAMMAS.items():
        top.plot(p, focal_loss(p, gamma), color=style.COLOURS[colour])
        at = 0.92 - 0.12 * list(GAMMAS).index(gamma)
        height = float(focal_loss(torch.tensor(at), gamma))
        box = {"facecolor": style.ink("paper"), "edgecolor": "none", "pad": 1}
        ink = style.words(style.COLOURS[colour])
        top.text(at, height, f"γ = {gamma:g}", color=ink, fontsize=10, ha="center", va="center", bbox=box)
    top.set(yscale="log", xlim=(0, 1), ylim=(1e-4, 6), xlabel="probability of the true answer", ylabel="loss")
    top.grid(axis="y")
    shares = [background_share(gamma) for gamma in GAMMAS]
    colours = [style.COLOURS[colour] for colour in GAMMAS.values()]
    bars = bottom.barh([f"γ = {gamma:g}" for gamma in GAMMAS], shares, color=colours, height=0.65)
    bottom.bar_label(bars, [percent(share) for share in shares], padding=4, fontsize=10)
    bottom.invert_yaxis()
    bottom.set(xlim=(0, 112), xlabel="share of the loss that comes from background, %")
    return fig


@table(
    "focal-results",
    caption="Average precision of a ResNet-50 RetinaNet on COCO minival with different losses; the first has no "
    "weight α, each of the others its best; published {cite:p}`lin2017focal`.",
)
def results() -> list[list[str]]:
    """Table 1 of the RetinaNet paper in one row a loss."""
    names = {"cross-entropy": "cross-entropy (γ = 0)", "weighted": "cross-entropy, objects weighted by α"}
    return [["loss", "AP"], *([names.get(name, name), str(ap)] for name, ap in FOCAL_LOSS.values.items())]


@figure(
    "retinanet-table3",
    caption="RetinaNet on COCO-2017 val with R101x3 backbones, published, Table 3 of {cite:t}`kolesnikov2020bit`: "
    "median of five runs. The gray point is quoted there from the RetinaNet paper, whose number is for a "
    "ResNeXt-101-FPN on COCO test-dev {cite:p}`lin2017focal`: another backbone and other images.",
    alt="Four points on a line of average precision: RetinaNet from the literature 40.8, BiT-S 41.7, BiT-M 43.2 and "
    "BiT-L 43.8. More upstream data gives a better detector.",
)
def table3() -> Figure:
    """One point for each detector."""
    fig, ax = style.new(5.8, 2.5)
    for row, (name, (_, ap)) in enumerate(TABLE3.values.items()):
        colour = style.COLOURS["blue" if name.startswith("BiT") else "grey"]
        ax.plot(ap, row, "o", color=colour, markersize=10)
        ax.annotate(f"{ap}", (ap, row), (10, 0), textcoords="offset points", va="center", color=colour, fontsize=10)
    labels = [
        f"{name}, {data}" if name.startswith("BiT") else "literature" for name, (data, _) in TABLE3.values.items()
    ]
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set(xlim=(40, 45), ylim=(3.5, -0.5), xlabel="average precision on COCO, %")
    ax.grid(axis="x")
    return fig
