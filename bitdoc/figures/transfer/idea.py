"""The idea in one picture, and when it pays: the same network from random and from pre-trained weights."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from bitdoc.figures import figure, style
from bitdoc.literature.published import VTAB_START

#: Three downstream tasks: what the new head tells apart, and what there is to learn it from.
_TASKS = (
    ("10 kinds of things", "CIFAR-10: 10 to 50,000 images"),
    ("37 breeds of pets", "Oxford Pets: 3,680 images"),
    ("45 kinds of places, from above", "Resisc45 in VTAB-1k: 1,000 images"),
)


def _body(ax: Axes, x: float, y: float, width: float = 1.7, height: float = 1.0) -> None:
    """The network below its head: it narrows from pixels to features."""
    corners = [(x, y - height / 2), (x, y + height / 2), (x + width, y + height / 4), (x + width, y - height / 4)]
    ax.add_patch(Polygon(corners, facecolor=style.ink("wash"), edgecolor=style.COLOURS["blue"], linewidth=1.8))


def _head(ax: Axes, x: float, y: float, colour: str, height: float, gone: bool = False) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (x, y - height / 2),
            0.26,
            height,
            "round,pad=0,rounding_size=0.06",
            facecolor="none" if gone else style.COLOURS[colour],
            edgecolor=style.COLOURS[colour],
            linewidth=1.8,
            linestyle=(0, (3, 2)) if gone else "-",
        )
    )


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": style.ink(), "lw": 1.3, "shrinkB": 0})


def _pictures(ax: Axes, x: float, y: float) -> None:
    """A pile of upstream images, each a frame with a hill and a sun."""
    for i in range(4):
        left, bottom = x + 0.16 * i, y + 0.16 * i
        ax.add_patch(Polygon(_frame(left, bottom), facecolor=style.ink("paper"), edgecolor=style.COLOURS["grey"], lw=1))
    hill = [(left + 0.08, bottom + 0.08), (left + 0.5, bottom + 0.55), (left + 0.92, bottom + 0.08)]
    ax.add_patch(Polygon(hill, facecolor=style.COLOURS["sky"], edgecolor="none"))
    ax.plot(left + 0.76, bottom + 0.58, "o", color=style.COLOURS["yellow"], markersize=6)


def _frame(left: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, bottom), (left, bottom + 0.75), (left + 1.0, bottom + 0.75), (left + 1.0, bottom)]


@figure(
    "transfer-idea",
    caption="The idea. Upstream, once: a network learns to name millions of images. Its last layer, the head, knows "
    "those classes only and is thrown away. Downstream, for each task: a copy of the remaining weights (blue) gets a "
    "new head (green), and training goes on with the task's few images. Numbers upstream are those of BiT-M "
    "{cite:p}`kolesnikov2020bit`.",
    alt="Left, a pile of 14 million labeled images leads to a network whose head for 21 thousand classes is crossed "
    "out. Three arrows lead from its body to three copies on the right, each with a new small head: 10 kinds of things "
    "in CIFAR-10, 37 breeds of pets, 45 kinds of places seen from above. Their tasks have 10 to 50,000 images.",
)
def idea() -> Figure:
    """Upstream images, weights, the head exchanged, and three tasks."""
    fig, ax = style.new(7.2, 3.9)
    ax.set(xlim=(0, 10.6), ylim=(0, 5.2))
    ax.axis("off")
    ax.text(0.1, 4.95, "Upstream, once", fontsize=11, weight="bold", va="top")
    ax.text(5.7, 4.95, "Downstream, for each task", fontsize=11, weight="bold", va="top")
    _pictures(ax, 0.1, 2.0)
    ax.text(0.1, 1.7, "14 million\nlabeled images", fontsize=10, va="top")
    _arrow(ax, (1.75, 2.6), (2.2, 2.6))
    _body(ax, 2.2, 2.6, 1.7, 1.6)
    ax.text(2.98, 2.6, "weights", fontsize=10, ha="center", va="center")
    _head(ax, 4.0, 2.6, "orange", 1.2, gone=True)
    ax.plot([3.92, 4.34], [1.95, 3.25], color=style.COLOURS["orange"], linewidth=1.6)
    ax.text(2.75, 1.5, "head for 21,000\nclasses: thrown away", color=style.COLOURS["orange"], fontsize=10, va="top")
    for y, (classes, source) in zip((3.85, 2.4, 0.95), _TASKS, strict=True):
        _arrow(ax, (4.5, 2.6 + (y - 2.6) * 0.12), (5.6, y))
        _body(ax, 5.7, y, 1.1, 0.85)
        _head(ax, 6.9, y, "green", 0.6)
        ax.text(7.3, y + 0.22, classes, fontsize=10, va="center", color=style.COLOURS["green"])
        ax.text(7.3, y - 0.22, source, fontsize=9.5, va="center")
    return fig


_STARTS = ("random", "ImageNet")
#: What to do, by data set size and by distance, in the order of the panels.
_ADVICE = {
    ("few", "natural"): "Transfer decides. Begin with a linear\nprobe, then fine-tune for a short time.",
    ("few", "structured"): "Fine-tune all weights, expect less, and\ncompare with a random start.",
    ("all", "natural"): "Fine-tune all weights.",
    ("all", "structured"): "Random weights come close;\ntransfer saves training time.",
}


def group_mean(start: str, amount: str, group: str) -> float:
    """Mean accuracy over the tasks of a VTAB group."""
    tasks = VTAB_START.values[group][start, amount]
    return sum(tasks) / len(tasks)


def _when_caption() -> str:
    middle = [f"{group_mean(start, amount, 'specialized'):.1f}" for amount in ("few", "all") for start in _STARTS]
    return (
        "When to do what. One ResNet-50, fine-tuned from random weights and from weights trained on all of ImageNet "
        "(ILSVRC-2012), with 1,000 images a task and with each task's whole training set; mean accuracy over the seven "
        "natural (left) and the eight structured tasks (right) of VTAB, computed from its authors' table of results "
        "{cite:p}`google2020vtab`. On the four specialized tasks (medical and satellite images) the start lifts "
        f"accuracy from {middle[0]} to {middle[1]}% with 1,000 images, from {middle[2]} to {middle[3]}% with all. The "
        "advice is ours."
    )


def _when_alt() -> str:
    told = []
    for amount, images in (("few", "1,000 images"), ("all", "all images")):
        for group in ("natural", "structured"):
            start, end = (group_mean(name, amount, group) for name in _STARTS)
            told.append(f"{images}, {group} tasks: from {start:.0f} to {end:.0f} percent")
    return "Two by two panels, accuracy from random weights against pre-trained weights. " + "; ".join(told) + "."


@figure("transfer-when", caption=_when_caption, alt=_when_alt)
def when() -> Figure:
    """Two by two: how much data against how similar, the gain in each and what to do."""
    fig, axes = style.new(7.2, 3.9, 2, 2, sharex=True)
    columns = {
        "natural": "Similar: what is in the photograph?",
        "structured": "Different: how many? how far?",
    }
    rows = {"few": "1,000 images", "all": "all images"}
    for line, amount in zip(axes, rows, strict=True):
        for ax, group in zip(line, columns, strict=True):
            _draw_gain(ax, amount, group)
            if amount == "few":
                ax.set_title(columns[group], fontsize=10.5, weight="bold")
            else:
                ax.set_xlabel("accuracy, %")
        line[0].set_ylabel(rows[amount], fontsize=10.5, weight="bold")
    return fig


def _draw_gain(ax: Axes, amount: str, group: str) -> None:
    start, end = (group_mean(name, amount, group) for name in _STARTS)
    ax.annotate("", (end, 1), (start, 1), arrowprops={"arrowstyle": "-|>", "color": style.COLOURS["blue"], "lw": 2.5})
    ax.plot(start, 1, "o", color=style.COLOURS["grey"], markersize=7)
    ax.plot(end, 1, "o", color=style.COLOURS["blue"], markersize=7)
    ax.text(start - 2, 1, f"{start:.0f}", color=style.COLOURS["grey"], ha="right", va="center")
    ax.text(end + 2, 1, f"{end:.0f}", color=style.COLOURS["blue"], ha="left", va="center")
    ax.text((start + end) / 2, 1.17, f"+{end - start:.0f}", color=style.COLOURS["blue"], ha="center", fontsize=12)
    if (amount, group) == ("few", "natural"):
        ax.text(start, 1.17, "random", color=style.COLOURS["grey"], ha="center", fontsize=9.5)
        ax.text(end, 1.17, "ImageNet", color=style.COLOURS["blue"], ha="center", fontsize=9.5)
    ax.text(2, 0.66, _ADVICE[amount, group], fontsize=9.5, va="top", linespacing=1.3)
    ax.set(xlim=(0, 105), ylim=(0.1, 1.5), yticks=[])
    ax.spines["left"].set_visible(False)
