"""Focal loss: its curves, where the loss of a trained detector comes from, and the results of Table 3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table, value
from bitdoc.figures.models.learning import COMMAND, trained
from bitdoc.figures.transfer.measured import empty_place
from bitdoc.literature.published import FOCAL_LOSS, TABLE3
from bitdoc.network.detector import focal_loss
from bitdoc.records import runs
from bitdoc.studies.models.rectangles import LOGITS

GAMMAS = {0.0: "grey", 0.5: "green", 1.0: "sky", 2.0: "blue", 5.0: "orange"}
#: Share of the background answers that is called the hardest, in percent.
HARDEST = 1.0
#: What stands in place of a number before the detector has been trained.
MISSING = "(not measured yet)"


def answers(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of the truth, worst first, and how many answers of the trained detector have each.

    ``kind`` is ``"objects"`` or ``"background"``. The run record counts answers by their log-odds; a bin's answers
    count as its middle.
    """
    counts = torch.tensor(_run().result[kind], dtype=torch.float64)
    edges = torch.linspace(-LOGITS, LOGITS, len(counts) + 1, dtype=torch.float64)
    return torch.sigmoid((edges[:-1] + edges[1:]) / 2), counts


def _run() -> runs.RunRecord:
    record = trained()
    if record is None:
        raise LookupError(f"the detector has not been trained yet; run: {COMMAND}")
    return record


def cumulative(kind: str, gamma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Share of the answers, hardest first, and the share of their loss that these carry; both in percent, from 0."""
    p_true, counts = answers(kind)
    loss = counts * focal_loss(p_true, gamma)
    seen, carried = (torch.cat([torch.zeros(1), 100 * part.cumsum(0) / part.sum()]) for part in (counts, loss))
    return seen, carried


def hardest(gamma: float, share: float = HARDEST, kind: str = "background") -> float:
    """Percent of the loss that the hardest answers carry."""
    seen, carried = cumulative(kind, gamma)
    return float(np.interp(share, seen.numpy(), carried.numpy()))


def background_share(gamma: float) -> float:
    """Percent of the whole loss, without weights α, that comes from background."""
    background, objects = (float((n * focal_loss(p, gamma)).sum()) for p, n in map(answers, ("background", "objects")))
    return 100 * background / (background + objects)


def _percent(share: Callable[[float], float], gamma: float) -> str:
    return f"{share(gamma):.0f}%" if trained() else MISSING


@value("focal-hardest-ce")
def hardest_cross_entropy() -> str:
    """Share of the background's cross-entropy in its hardest percent."""
    return _percent(hardest, 0.0)


@value("focal-hardest-two")
def hardest_two() -> str:
    """Share of the background's focal loss with γ = 2 in its hardest percent."""
    return _percent(hardest, 2.0)


@value("focal-background-ce")
def background_cross_entropy() -> str:
    """Share of background in cross-entropy."""
    return _percent(background_share, 0.0)


@value("focal-background-two")
def background_two() -> str:
    """Share of background in focal loss with γ = 2."""
    return _percent(background_share, 2.0)


@value("focal-answers")
def answers_per_object() -> str:
    """Background answers for each object answer."""
    if trained() is None:
        return MISSING
    background, objects = (float(answers(kind)[1].sum()) for kind in ("background", "objects"))
    return f"{background / objects:.0f}"


_CAPTION = (
    "Loss against the probability of the true answer; and, in a trained detector, the share of the loss that the "
    "hardest answers carry, those with the largest loss. After Fig. 4 of {cite:t}`lin2017focal`."
)


def _measured() -> str:
    top = "Computed by `bitdoc.network.detector.focal_loss`, without the weight α."
    if trained() is None:
        return f"{top} {runs.provenance([])}"
    background, objects = (int(answers(kind)[1].sum()) for kind in ("background", "objects"))
    return (
        f"{top} The detector is that of {{numref}}`fig-retinanet-learns`, on its {_run().setting['held_out']} unseen "
        f"images: {background:,} answers at background, {objects:,} at objects. In the paper's figure γ changes the "
        "objects' curves little: on COCO many objects stay hard; in this easy task most are easy. "
        f"{runs.provenance([_run()])}"
    )


def _alt() -> str:
    top = (
        "Above, five falling curves of loss; the larger gamma, the sooner they come down to zero on the right, where "
        "answers are already good."
    )
    if trained() is None:
        return f"{top} Below, an empty place: the detector has not been trained yet."
    told = ", ".join(f"{hardest(gamma):.0f} percent at gamma {gamma:g}" for gamma in GAMMAS)
    return (
        f"{top} Below left, curves that rise the sooner the larger gamma is: the hardest percent of the background's "
        f"answers carries of its loss {told}. Below right, the same for objects, later and closer together."
    )


@figure("focal-loss", caption=_CAPTION, alt=_alt, measured=_measured)
def curves() -> Figure:
    """Loss curves above; below, where the loss of a trained detector comes from."""
    fig = style.new(5.8, 6.8, narrow=(8.4, 1))[0]
    fig.clear()
    style.headline(fig, "The larger γ, the less a good answer counts")
    grid = fig.add_gridspec(*style.by_width((2, 2), (3, 1)))
    _losses(fig.add_subplot(grid[0, :]))
    if trained() is None:
        empty_place(fig.add_subplot(grid[1, :]), COMMAND)
        return fig
    left, right = (fig.add_subplot(grid[place]) for place in style.by_width(((1, 0), (1, 1)), ((1, 0), (2, 0))))
    _shares(left, "background", f"Background: {hardest(2.0):.0f}% of the loss\nin the hardest 1% at γ = 2")
    _shares(right, "objects", f"Objects: {hardest(2.0, kind='objects'):.0f}% of the loss\nin the hardest 1% at γ = 2")
    left.set_ylabel("share of their loss, %")
    right.set_ylabel(style.by_width("", "share of their loss, %"))
    return fig


def _losses(ax: Axes) -> None:
    p = torch.linspace(0.01, 0.995, 200)
    for gamma, colour in GAMMAS.items():
        ax.plot(p, focal_loss(p, gamma), color=style.COLOURS[colour])
        # In the order of the lines, in the corner that they leave free.
        row, ink = list(GAMMAS).index(gamma), style.words(style.COLOURS[colour])
        name = f"γ = {gamma:g}" + (", cross-entropy" if gamma == 0 else "")
        ax.text(0.03, 0.42 - 0.095 * row, name, color=ink, fontsize=style.by_width(10, 9), transform=ax.transAxes)
    ax.set(yscale="log", xlim=(0, 1), ylim=(1e-4, 6), xlabel="probability of the true answer", ylabel="loss")
    ax.set_title("One answer")
    style.plain(ax.yaxis)
    ax.minorticks_off()
    ax.grid(axis="y")


def _shares(ax: Axes, kind: str, title: str) -> None:
    for gamma, colour in GAMMAS.items():
        seen, carried = cumulative(kind, gamma)
        ax.plot(seen[carried > 0], carried[carried > 0], color=style.COLOURS[colour], linewidth=1.8)
    ax.axvline(HARDEST, color=style.ink("faint"), linewidth=1.2, zorder=0)
    ax.set(xscale="log", xlim=(0.01, 100), ylim=(0, 101), xlabel="hardest answers, %")
    ax.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    ax.set_title(title, fontsize=style.by_width(10, 9))
    ax.minorticks_off()
    ax.grid(axis="y")


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
    caption="RetinaNet on COCO-2017 val, published, Table 3 of {cite:t}`kolesnikov2020bit`. The gray point, quoted "
    "there, has another backbone and is judged on other images {cite:p}`lin2017focal`.",
    measured="Published: R101x3 backbones, median of five runs. The gray point is the RetinaNet paper's "
    "ResNeXt-101-FPN on COCO test-dev.",
    alt="Four points on a line of average precision: RetinaNet from the literature 40.8, BiT-S 41.7, BiT-M 43.2 and "
    "BiT-L 43.8. More upstream data gives a better detector.",
)
def table3() -> Figure:
    """One point for each detector."""
    fig, ax = style.new(5.8, 2.7, narrow=(3.1, 1))
    style.headline(fig, "More upstream data, better boxes")
    for row, (name, (_, ap)) in enumerate(TABLE3.values.items()):
        colour = style.of(name) if name in style.MEANINGS else style.COLOURS["grey"]
        ax.plot(ap, row, "o", color=colour, markersize=10)
        ax.annotate(f"{ap}", (ap, row), (10, 0), textcoords="offset points", va="center", color=colour, fontsize=10)
    labels = [
        f"{name},{style.by_width(' ', chr(10))}{data}" if name in style.MEANINGS else "literature"
        for name, (data, _) in TABLE3.values.items()
    ]
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set(xlim=(40, 45), ylim=(3.5, -0.5), xlabel="average precision on COCO, %")
    ax.grid(axis="x")
    return fig
