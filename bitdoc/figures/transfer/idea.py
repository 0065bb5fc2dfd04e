"""The idea in one picture, and when it pays: the same network from random and from pre-trained weights."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from bitdoc.figures import figure, style, value
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
    caption="The idea. Blue: weights learned upstream and carried over. The last layer, the head, is thrown away "
    "(orange); each task gets a new one (green). Upstream numbers are those of BiT-M {cite:p}`kolesnikov2020bit`.",
    alt="Left, a pile of 14 million labeled images leads to a network whose head for 21 thousand classes is crossed "
    "out. Three arrows lead from its body to three copies on the right, each with a new small head: 10 kinds of things "
    "in CIFAR-10, 37 breeds of pets, 45 kinds of places seen from above. Their tasks have 10 to 50,000 images.",
)
def idea() -> Figure:
    """Upstream images, weights, the head exchanged, and three tasks."""
    fig, ax = style.new(7.2, 4.1, narrow=(5.6, 1))
    style.headline(fig, "Learn from many images once, use the weights for every task")
    ax.set(xlim=(0, style.by_width(10.6, 5.25)), ylim=style.by_width((0, 5.2), (-3.9, 4.1)))
    ax.axis("off")
    heading = {"fontsize": style.by_width(11, 10), "weight": "bold", "va": "top"}
    ax.text(0.1, style.by_width(4.95, 4.05), "Upstream, once", **heading)
    left, top, rows = style.by_width((5.7, 4.95, (3.85, 2.4, 0.95)), (0.75, 0.1, (-0.95, -2.15, -3.35)))
    ax.text(left, top, "Downstream, for each task", **heading)
    if style.by_width(False, True):  # the weights go down to the tasks, between the words
        ax.plot((2.45, 2.45, 0.3, 0.3), (1.85, 0.4, 0.4, rows[-1]), color=style.ink(), linewidth=1.3)
    small = style.by_width(10, 9)
    _pictures(ax, 0.1, 2.0)
    ax.text(0.1, 1.7, "14 million\nlabeled images", fontsize=small, va="top")
    _arrow(ax, (1.75, 2.6), (2.2, 2.6))
    _body(ax, 2.2, 2.6, 1.7, 1.6)
    ax.text(2.98, 2.6, "weights", fontsize=small, ha="center", va="center")
    _head(ax, 4.0, 2.6, "orange", 1.2, gone=True)
    ax.plot([3.92, 4.34], [1.95, 3.25], color=style.COLOURS["orange"], linewidth=1.6)
    ax.text(2.75, 1.5, "head for 21,000\nclasses: thrown away", color=style.COLOURS["orange"], fontsize=small, va="top")
    for y, (classes, source) in zip(rows, _TASKS, strict=True):
        _arrow(ax, style.by_width((4.5, 2.6 + (y - 2.6) * 0.12), (0.3, y)), (left - 0.1, y))
        _body(ax, left, y, 1.1, 0.85)
        _head(ax, left + 1.2, y, "green", 0.6)
        ax.text(left + 1.6, y + 0.22, classes, fontsize=small, va="center", color=style.COLOURS["green"])
        source = source.replace(": ", style.by_width(": ", ":\n"))
        ax.text(left + 1.6, y + style.by_width(-0.08, 0.06), source, fontsize=small, va="top")
    return fig


_STARTS = ("random", "ImageNet")
#: What to do, by data set size and by distance, in the order of the panels.
_ADVICE = {
    ("few", "natural"): "Transfer decides. A linear probe comes\nclose; a short fine-tuning does better.",
    ("few", "structured"): "Fine-tune all weights, expect less, and\ncompare with a random start.",
    ("all", "natural"): "Fine-tune all weights.",
    ("all", "structured"): "Random weights come close;\ntransfer saves training time.",
}


def group_mean(start: str, amount: str, group: str) -> float:
    """Mean accuracy over the tasks of a VTAB group."""
    tasks = VTAB_START.values[group][start, amount]
    return sum(tasks) / len(tasks)


#: Where the two medical tasks stand among the specialized ones.
_MEDICAL = {"Camelyon": 0, "Retinopathy": 3}


def medical_gain(task: str) -> str:
    """Points that ImageNet's weights gain over random ones with 1,000 images of a medical task of VTAB."""
    starts, place = VTAB_START.values["specialized"], _MEDICAL[task]
    return f"{starts['ImageNet', 'few'][place] - starts['random', 'few'][place]:.1f}"


# Quoted on the page.
value("vtab-gain-camelyon")(lambda: medical_gain("Camelyon"))
value("vtab-gain-retinopathy")(lambda: medical_gain("Retinopathy"))


_WHEN_CAPTION = (
    "A ResNet-50 from random weights and from ImageNet's: mean accuracy over the natural (similar) and the structured "
    "(different) tasks of VTAB, from its authors' results {cite:p}`google2020vtab`. The advice is ours."
)


def _when_measured() -> str:
    middle = [f"{group_mean(start, amount, 'specialized'):.1f}" for amount in ("few", "all") for start in _STARTS]
    return (
        "Seven natural and eight structured tasks, each fine-tuned with 1,000 images and with its whole training set; "
        "ImageNet is ILSVRC-2012. On the "
        "four specialized tasks, medical and satellite images, the start lifts accuracy from "
        f"{middle[0]} to {middle[1]}% with 1,000 images, from {middle[2]} to {middle[3]}% with all. Satellite images "
        f"bring most of that: with 1,000 the two medical tasks gain {medical_gain('Camelyon')} and "
        f"{medical_gain('Retinopathy')} points."
    )


def _when_alt() -> str:
    told = []
    for amount, images in (("few", "1,000 images"), ("all", "all images")):
        for group in ("natural", "structured"):
            start, end = (group_mean(name, amount, group) for name in _STARTS)
            advice = " ".join(_ADVICE[amount, group].split())
            told.append(f"{images}, {group} tasks: from {start:.1f} to {end:.1f} percent. {advice}")
    return "Two by two panels, accuracy from random weights against pre-trained weights, with advice. " + " ".join(told)


@figure("transfer-when", caption=_WHEN_CAPTION, alt=_when_alt, measured=_when_measured)
def when() -> Figure:
    """Two by two: how much data against how similar, the gain in each and what to do."""
    fig, axes = style.new(7.2, 4.1, 2, 2, narrow=(5.8, 1), sharex=True)
    style.headline(fig, "Transfer buys most where images are few and the task is similar")
    columns = {
        "natural": "Similar: what is in the photograph?",
        "structured": "Different: how many? how far?",
    }
    rows = {"few": "1,000 images", "all": "all images"}
    for line, amount in zip(axes, rows, strict=True):
        for ax, group in zip(line, columns, strict=True):
            _draw_gain(ax, amount, group)
            ax.set_title(f"{columns[group].partition(':')[0]}, {rows[amount]}" if style.by_width(False, True) else "")
            if style.by_width(amount == "few", False):
                ax.set_title(columns[group], fontsize=10.5)
        line[0].set_ylabel(style.by_width(rows[amount], ""), fontsize=10.5)
    for ax in style.by_width(axes[1], axes[1, 1:]):
        ax.set_xlabel("accuracy, %")
    return fig


def _draw_gain(ax: Axes, amount: str, group: str) -> None:
    start, end = (group_mean(name, amount, group) for name in _STARTS)
    ax.annotate("", (end, 1), (start, 1), arrowprops={"arrowstyle": "-|>", "color": style.COLOURS["blue"], "lw": 2.5})
    ax.plot(start, 1, "o", color=style.COLOURS["grey"], markersize=7)
    ax.plot(end, 1, "o", color=style.COLOURS["blue"], markersize=7)
    ax.text(start - 2, 1, f"{start:.1f}", color=style.COLOURS["grey"], ha="right", va="center")
    ax.text(end + 2, 1, f"{end:.1f}", color=style.COLOURS["blue"], ha="left", va="center")
    ax.text(
        (start + end) / 2,
        1.17,
        f"+{round(end, 1) - round(start, 1):.1f}",  # so that what is printed adds up
        color=style.COLOURS["blue"],
        ha="center",
        fontsize=style.by_width(12, 10),
    )
    if (amount, group) == ("few", "natural"):
        ax.text(start, 1.17, "random", color=style.COLOURS["grey"], ha="center", fontsize=9.5)
        ax.text(end, 1.17, "ImageNet", color=style.COLOURS["blue"], ha="center", fontsize=9.5)
    ax.text(2, 0.66, _ADVICE[amount, group], fontsize=style.by_width(9.5, 8.5), va="top", linespacing=1.3)
    ax.set(xlim=(0, 105), ylim=(0.1, 1.5), yticks=[])
    ax.spines["left"].set_visible(False)
